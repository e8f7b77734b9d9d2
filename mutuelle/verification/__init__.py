"""Checks the invariants of what is stored: balances, rights, claims, evidence, and numbers in the open.

`verify` runs all checks; `evidence_checks` and `phone_leaks` are two of them.
"""
