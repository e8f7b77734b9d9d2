"""What people read: the day's money, search, the history of a payment, indicators, open figures, metrics.

`daybook`, `search`, `payment_history`, `indicators` and `targets`, `disclosure`, `dhis2`, `metrics`.
"""
