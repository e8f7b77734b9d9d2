"""Who runs it: mutuelles and federations with their accounts at gateways and operators, the people who log
in, sponsors.

`tenants`, `logins`, `sponsors`.
"""
