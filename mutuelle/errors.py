"""Errors of the domain: who must act, and whether a retry can help.

* Refused     the rules do not allow what a person asked for; `key` names the text of the answer
* Missing     this mutuelle has no such row; the page is outdated or belongs to another mutuelle
* Conflict    our records contradict each other; only a run over many households catches it, and names the
              household in its report or opens a case for staff
  - UnreadableBooks  a household's bills and money cannot be computed with; its page and its screen say so,
                     and money for it waits in suspense
* Malformed   a message from outside cannot be parsed; it is stored as it came and changes nothing
  - UnreadableProof  it proves money but cannot be read whole: the payment stays unknown, query again later
* OperatorError
  - Unavailable   time-out, 5xx or throttling: the outcome is unknown, query again later
  - Declined      the operator understood and refused; a retry cannot help
"""


class Refused(Exception):
    """The rules do not allow a request. `key` is a catalogue id, `values` fill its placeholders."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


class Missing(LookupError):
    """This mutuelle has no such row. (A KeyError is a defect of ours, and is not caught as Missing.)"""


class Conflict(Exception):
    """Our own records contradict each other. No retry helps: staff must correct them."""


class UnreadableBooks(Conflict):
    """A household's bills and money cannot be computed with, such as when a rule version is gone."""


class Malformed(ValueError):
    """A message from outside cannot be parsed. No value was defaulted."""


class UnreadableProof(Malformed):
    """An operator's answer proves that money came, but cannot be read whole. This is no failure to pay."""


class OperatorError(Exception):
    """An operator or aggregator did not do what we asked."""


class Unavailable(OperatorError):
    """Time-out, 5xx, throttling or an unreadable answer: the outcome at the operator is unknown."""


class Declined(OperatorError):
    """The operator understood and refused. `code` is the operator's own reason code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
