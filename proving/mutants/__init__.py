"""Measures the tests: plants small faults in the rooms of money, one at a time, and runs the tests on each.

`python -m proving.mutants --seed 1 --count 300` (`make mutants`) draws faults by a seed, evenly from the
rooms and from the kinds of faults, and says which the tests find. In reading order:

* `source`: the text of a file, and one fault in it
* `python_edits`, `python_faults`, `sql_faults`: every small fault of Python and of SQL
* `faults`: the rooms, and the draw
* `recorder`, `records`: which tests run a line
* `trial`: plants a fault in a scratch copy and runs these tests
* `explained`: faults that make no difference (`explained.toml`)

Limits: lines that run only in processes which a test starts count as not run, and a fault in a migration, in
the menus or in the web is not drawn.
"""
