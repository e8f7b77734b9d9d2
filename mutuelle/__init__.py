"""The domain of a health mutuelle: schemes, households, bills, payments, receipts, rights. No Flask, no RQ,
no HTTP.

Words (used exactly so in code, screens and tables):

scheme        the rule book with effective dates           mutuelle   the organisation that runs it in a place
(the tenant) household     who is covered together                      member     head or dependant;
`provisional` until named category      general, indigent, ...: `claimed` until its evidence is checked bill
what a household owes for a period, in lines per payer (member, State, commune, sponsor) payment       our
request to collect, under our own reference account       a merchant wallet at an operator             notice
an outsider's words as they came receipt       money proven received, unique per (operator account,
transaction) allocation    receipt -> bill lines                        suspense   a receipt nobody could
attribute yet entry         a ledger entry, made of postings             rights     what a household may claim
on a day, as dated intervals subsidy claim what we ask of State, commune or sponsor, household by household,
in lines of one member each message       an SMS to send once                          turn       one input
and one screen class         what a rule asks about a member, such as `disabled`; it counts from the day
somebody noted it proof         evidence of a category that was checked      ticket     an appeal of a
household, with a deadline
"""
