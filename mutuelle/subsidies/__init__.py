"""Subsidy claims: what is asked of State, commune and sponsors, with household, member and evidence.

`claim_lines` defines the values; `claim_facts` reads the facts of a moment, `claim_duplicates` those about
likely duplicates; `claim_eligibility`, `claim_shares` and `claim_line_facts` serve both ways to claim a bill:
by the days really covered (`claim_worth`, `claim_decreases`, `claim_held_days`, `claim_day_lines`) or for its
whole period (`claim_balances`, `claim_whole_bills`); `claim_amounts` chooses between them. `claim_drafts`
drafts a claim and `claim_steps` moves it along; `claim_store` and `claim_totals` read the rows; `claim_csv`
writes the file that is hashed; `claim_checks` and `claim_day_checks` make a claim again and check I12.
"""
