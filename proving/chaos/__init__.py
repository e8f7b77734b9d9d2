"""Chaos: kills, freezes and disconnects real processes by a timetable from a seed, while people join and pay.

`python -m proving.chaos --seed N --minutes M`, behind `make chaos`. The same seed makes the same timetable,
the same people and the same faults outside; which of them meet depends on the machine. At the end everything
is repaired, and the books must be correct.
"""
