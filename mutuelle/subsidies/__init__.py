"""Subsidy claims: what is asked of State, commune and sponsors, with household, member and evidence.

`claim_lines` defines the values; `claim_facts` reads the facts of a moment, `claim_duplicates` those about
likely duplicates; `claim_eligibility`, `claim_balances` and `claim_amounts` compute what may be claimed;
`claim_drafts` drafts a claim and `claim_steps` moves it along; `claim_store` and `claim_totals` read the
rows; `claim_csv` writes the file that is hashed; `claim_checks` makes a claim again and checks I12.
"""
