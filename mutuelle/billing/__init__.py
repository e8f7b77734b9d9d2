"""What writes and changes bills: renewals, adjustments in mid-period, new tariffs, sponsorships.

`renewals` writes the next bills; `billing_runs` records the progress of a run; `adjustments` changes bills;
`bills_under_way` selects them; `rule_changes` applies a new tariff; `sponsorships` lets a sponsor begin to
pay.
"""
