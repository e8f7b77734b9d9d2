"""What bills and money open, day by day, for a household and for one member, and why.

`cover_periods` turns money into periods of cover; `household_rights` turns these into a time line;
`member_rights` does so for one member, by the `relationships` that the scheme admits; `insured_people` loads
the members; `covered_days` says which days each bill really covered, as lists of days (`day_spans`);
`cover_books` loads books and stores time lines; `recompute` compares stored time lines; `explain_facts`,
`explain_bill` and `explain` give the reasons.
"""
