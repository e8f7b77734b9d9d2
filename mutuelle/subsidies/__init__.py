"""What State, commune and sponsors are asked for: subsidy claims, line by line, with household, member and
evidence.

`claim_lines` are the values; `claim_facts` what was known at a moment; `claim_eligibility` and `claimable`
what may be claimed; `claims` the acts; `claim_store` the rows; `claim_csv` the file that is hashed;
`claim_checks` makes a claim again.
"""
