"""Money: our request to collect, what operators say, the receipt, its allocation to bills, suspense, refund
and ledger.

`operators` is what an operator may say; `payments` requests; `receipts` records; `settlement` attributes;
`allocation` puts money on bills; `suspense`, `suspense_candidates` and `manual_attribution` handle what
nobody could attribute; `refunds` pays back; `ledger` holds the postings; `promises` and `list_cursor` hold
promises to pay and how far a list was read.
"""
