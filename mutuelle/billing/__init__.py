"""What writes and changes bills: renewals, adjustments in mid-period, new tariffs, sponsorships.

`renewals` writes the next bills; `billing_runs` says how far a run has come; `adjustments` changes one bill;
`rule_changes` applies a new tariff to bills under way; `sponsorships` lets a sponsor begin to pay.
"""
