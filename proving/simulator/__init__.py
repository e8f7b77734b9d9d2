"""Simulates thirty days of three mutuelles in seconds; the same seed gives the same days.

The product runs in this process without threads on a virtual clock: its real web application (requests come
through Flask's test client, without a socket), its real jobs (called when a job waits in the real Redis, as
a worker would call them), the acts of managers (called as a page of the console calls them), on a real
PostgreSQL. The sandbox is a second process with virtual time that serves the product's adapters over HTTP.
The seed decides everything random: habits, acts of staff, faults, ids, and crashes. Half of the days come
before a pause of up to a year, so that waiting days, bills and fiscal years end within a seed.

    timeline  the clock, and the planned events        outside       the sandbox process and its callbacks
    product   web and workers, and their crashes       people        payers with habits, and their phones
    plan      people, acts, days, faults of a seed     staff         managers change households
    treasury  they attribute money and pay it back     claim_office  they claim subsidies
    scores    books against movements, digest          cover_truth   cover and claims against paid money
    shrink    the few events that break a promise

It does not show processes that race for a row (chaos and the worker tests do), real seconds, or an
unsolicited payment by a registered phone for another household: no operator reports that, so the rule gives
it to the household of the phone. An operator that corrects the fee in the list of an earlier day is not
drawn: nobody reads that list again but by `mutuelle pull`, and `mutuelle verify --balance` tells the
difference. Nor are another currency, a clock that jumps and a restored database drawn, nor MTN reversals,
which no answer of MTN tells.
"""
