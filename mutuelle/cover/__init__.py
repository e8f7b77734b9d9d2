"""What bills and money open, day by day, for a household and for one member, and why.

`cover_periods` turns money into periods of cover; `rights` turns them into a time line; `member_rights` does
so for one person; `cover_books` loads and stores them; `recompute` compares what is stored; `explain_facts`
and `explain` give the reasons.
"""
