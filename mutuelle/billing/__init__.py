"""What writes and changes bills: renewals, adjustments in mid-period, new tariffs, sponsorships.

`renewals` writes the next bills, and `billing_runs` records the progress of a run. `adjustments` changes
bills that `bills_under_way` selects; `day_basis` prices the changes of a day together, and
`adjustment_writer` writes them. `unopened_bills` reprices or ends bills that have opened nothing.
`rule_changes` applies a new tariff. `sponsorships` makes a sponsor begin to pay. `change_sms` notifies the
household.
"""
