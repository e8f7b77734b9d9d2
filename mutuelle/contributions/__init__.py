"""What a household owes: the price under the rules, and the bills with one line per payer.

`quotes` prices a household; `price_cache` keeps prices in a billing run; `bill_writer` inserts many bills;
`bills` holds the rows and a bill as it stands; `bill_change` is one change of it.
"""
