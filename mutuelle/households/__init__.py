"""Who is covered together: households and members, evidence of a category, likely duplicates, the lock.

`households`, `members`, `member_numbers`, `names`, `evidence`, `unique_evidence`, `locks`, `household_sms`,
`duplicate_candidates`, `duplicates`, `duplicate_decisions`.
"""
