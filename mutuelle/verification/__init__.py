"""Checks everything that is stored: `questions` lists what `mutuelle verify` asks, one file per subject.

`verify` asks them. `schema` compares the database with the migrations, `money_seals` rows of money with their
seals, `true_movements` receipts with a list of what moved, `balances` wallets with the operators' answers.
"""
