"""SMS to send once: their rows, when a reminder is due, the hours of sending, and the cost of a text.

`messages`, `gsm7`, `reminders`, `sending_hours`, `reminder_runs`.
"""
