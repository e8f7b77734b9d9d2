"""Who is covered together: households and their members, evidence of a category, and the household's lock.

`households`, `members`, `member_numbers`, `evidence`, `evidence_numbers`, `locks`, `household_sms`.
"""
