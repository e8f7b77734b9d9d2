"""Everything the domain may refuse, and what a stranger may get wrong.

* Refused     a person asked for something the rules do not allow; `key` names the words we answer with
* Missing     nothing of this mutuelle is called so; whoever asked has an old or a foreign page
* Conflict    our records contradict each other; wakes a person, never caught below a job or a view
* Malformed   a stranger's message cannot be read; it is kept as it came and changes nothing
* OperatorError
  - Unavailable   time-out, 5xx or throttling: the outcome is unknown, ask again later
  - Declined      the operator understood and said no; asking again cannot help
"""


class Refused(Exception):
    """The rules do not allow it. `key` is a catalogue id, `values` fill its placeholders."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


class Missing(LookupError):
    """Nothing of this mutuelle is called so. A KeyError of ours is no such thing."""


class Conflict(Exception):
    """Our own records contradict each other: a person must look."""


class Malformed(ValueError):
    """A stranger's words cannot be understood; nothing was defaulted."""


class OperatorError(Exception):
    """An operator or aggregator did not do what we asked. `retryable` says whether asking again can help."""

    retryable = False


class Unavailable(OperatorError):
    """Time-out, 5xx, throttling or an unreadable answer: what happened there is unknown."""

    retryable = True


class Declined(OperatorError):
    """The operator understood and refused; `code` is its own word for why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
