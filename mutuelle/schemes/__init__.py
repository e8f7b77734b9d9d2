"""Rule books of health schemes: read from a file, checked as a whole, never changed; prices, cover and limits
follow from them.

`fields` says how a rule is written; `money_rules` and `service_rules` are the rules; `versions` holds the
rules from a day on; `consistency` checks a version as a whole; `schemes` loads the books and finds one.
"""
