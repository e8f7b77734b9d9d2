"""Money: request, receipt, allocation, suspense, refund and ledger.

`operators` defines what an operator may answer, `payments` stores requests, `receipts` stores receipts.
`settlement` settles a request, `attribution` decides whose a receipt is, `allocation` puts it on bills,
`reversals` takes it back. `suspense_list`, `suspense_candidates`, `open_dues` and `manual_attribution`
handle receipts without a known household, `refunds` pays back, `refund_reversals` says what a reversal does
to a refund. `outflows` records money that left a wallet, `payouts` finds the refund that it pays, and
`payout_corrections` corrects the transaction that was noted for it. `ledger` holds the postings. `promises`
holds promises to pay. `list_cursor` holds how far each transaction list was read.
"""
