"""What a household owes: the price under the rules, and the bills with one line per payer.

`quotes` prices a household; `price_cache` keeps prices in a billing run; `bills` holds the rows;
`bill_change` is what changed one; `bill_writer` inserts many.
"""
