"""SMS to send once: their rows, when a reminder is due, the hours of sending, and what a text costs.

`messages`, `gsm7`, `reminders`, `sending_hours`, `reminder_runs`.
"""
