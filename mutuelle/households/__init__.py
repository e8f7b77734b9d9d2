"""Who is covered together: rows and finding, member numbers, evidence of a category, and the lock of a
household.

`households`, `members`, `member_numbers`, `evidence`, `evidence_numbers`, `locks`.
"""
