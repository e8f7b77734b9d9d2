"""Simulates thirty days of three mutuelles in seconds; the same seed gives the same days.

The product runs in this process without threads on a virtual clock: its real web application (requests come
through Flask's test client, without a socket), its real jobs (called when a job waits in the real Redis, as a
worker would call them), on a real PostgreSQL. The sandbox is a second process with virtual time that serves
the product's adapters over HTTP. The seed decides everything random: habits, faults, ids, and crashes.

    timeline   the clock, and the planned events            outside    the sandbox process and its callbacks
    product    web and workers, and their crashes           people     payers with habits, and their phones
    plan       people, days and faults of a seed            scores     books against movements, digest

It does not show processes that race for a row (chaos and the worker tests do), real seconds, or an
unsolicited payment by a registered phone for another household: no operator reports that, so the rule gives
it to the household of the phone.
"""
