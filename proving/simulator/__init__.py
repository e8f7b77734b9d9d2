"""The simulator: thirty days of three mutuelles in seconds, the same days again for the same seed.

The product runs in this process without threads on a virtual clock: its real web application (turns and
callbacks come in through Flask's test client, so without a socket between), its real jobs, called when a ring
waits in the real Redis as a worker would call them, on a real PostgreSQL. The pretend world is a second
process that is told its time and speaks to the product's adapters over HTTP. Whatever is drawn is drawn from
the seed: habits, faults, ids, and where a worker falls.

    timeline   the only clock, and what will happen when         outside    the pretend world and its letters
    product    web and workers, and their falls (crashes)         people     farmers and strangers, with
    habits plan       what a seed means: who, when, which faults         scores     books against truth, franc
    by franc, and the digest

What it does not show: threads and processes racing for a row (chaos and the worker tests do), real seconds,
and a phone that is registered to one household paying unasked for another: no wire could tell that, and the
rule gives it to the household.
"""
