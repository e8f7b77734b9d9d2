"""Reports for staff, the regulator, the public and machines; nothing here changes money or cover.

In reading order: `daybook` is the day's money, `search` the search box, `household_page` and
`payment_history` all about one household or payment; `indicator_list` and `indicators` compute the
regulator's list with `targets`, `disclosure` protects it for the public, `dhis2` exports it; `metrics` are
for Prometheus. `statements` reads the `.sql` files.
"""
