"""USSD dialogues and the words of SMS. No Flask, no Redis.

Screens are values, a pure function answers each turn, and the act of a Confirm runs exactly once. Reading
order: screens, graph_checks, flow (the menu tree, from home on), facts, render, position, engine,
idempotent_turn, session_rows.
"""
