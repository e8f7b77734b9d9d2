"""USSD dialogues and the words of SMS. Screens are values; a turn is a pure function that acts exactly once.

Reading order: screens, graph and flow (the dialogue), facts, render, engine, conversation, session_rows. No
Flask, no Redis.
"""
