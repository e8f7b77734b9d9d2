"""Chaos: everything falls, freezes and is cut at full length, by a timetable from a seed, while people join
and pay.

`python -m proving.chaos --seed N --minutes M`, behind `make chaos`. The same seed makes the same timetable,
the same people and the same faults outside; what meets what is the machine's. At the end everything is
healed, and the books must be true.
"""
