"""Who runs it: mutuelles and federations with their accounts, the logins of managers, and sponsors.

`tenants`, `mutuelle_day`, `logins`, `sponsors`.
"""
