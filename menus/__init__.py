"""USSD dialogues: screens are values, a turn is a pure function, and what a turn does it does once. No Flask,
no Redis."""
