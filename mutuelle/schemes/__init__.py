"""Rule books of health schemes: read from files, checked as a whole, never changed by code.

`fields` says how a rule is written; `money_rules` and `service_rules` are the rules; `version_rules` holds
the rules from a day on: stages, waiting, periods, arrears. `consistency` checks a version as a whole;
`schemes` loads the books and finds one.
"""
