"""Checks the invariants of what is stored: balances, rights, claims, evidence, and phones in plain text.

`verify` runs all checks; `evidence_checks` and `phone_leaks` are two of them. `balances` compares what the
books say of a wallet with the operator's answer.
"""
