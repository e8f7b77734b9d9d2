"""The facts a USSD session is opened with: everything its screens may say, as plain values that survive JSON.

They are read once, in the first turn's transaction, and kept with the session row, so that any later turn can
be replayed from them and gives the same screens.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Pending:
    """A payment under way: whole currency units and the operator asked.

    `link` tells whether the operator gave a link to send; `ends` is the local time (`10:30`) at which the
    request ends by itself, None when that time has passed and its end is being verified.
    """

    amount: int
    operator: str
    link: bool = False
    ends: str | None = None


@dataclass(frozen=True)
class Appeal:
    """A ticket that waits for its answer, until the local date `deadline`."""

    number: str
    deadline: str


@dataclass(frozen=True)
class HouseholdFacts:
    """What one household may see of itself. Amounts are whole currency units; dates are ISO local dates.

    `state` is one of open, waiting, part-paid, lapsed, suspended, never, and `reason` why (`rights.Reason`).
    `since`/`until` bound the state; `covered_from`/`covered_until` the next days of cover already bought,
    where there are. `owed` is what the member still owes on every open bill (joining fee included),
    `owed_dues` without the joining fee. `state_share` is what State and commune pay on the open bills, `paid`
    what the member has paid on them. `left_to_open` is the least sum that opens (or prolongs) rights and
    `opens_from`/`opens_until` what it would open if paid today; 0 and None when nothing is left to open.
    `credit` waits for the next bill. `promised` is the day it has promised to pay on, and `promise_until` the
    last day a promise is of use, where the dues are for a fixed year.
    """

    id: str
    number: str
    people: int
    category: str
    state: str
    since: str | None
    until: str | None
    owed: int
    owed_dues: int
    state_share: int
    paid: int
    left_to_open: int
    opens_from: str | None
    opens_until: str | None
    credit: int = 0
    pending: Pending | None = None
    sms: bool = True
    reason: str = ""
    covered_from: str | None = None
    covered_until: str | None = None
    appeal: Appeal | None = None
    promised: str | None = None
    promise_until: str | None = None


@dataclass(frozen=True)
class Facts:
    """What a session was opened with: `flow` the dialogue's version, `on` the local date.

    `shortcut` is what was dialled beyond the code, where the gateway tells it apart; `spoken` the transcript
    of the first turn (a shortcut too, when it is not empty). Both stop at the first Confirm, and a replay
    must know where they ended. `draft` is where an earlier session of this phone was dropped: {flow, screen,
    answers, path}.
    """

    flow: str
    language: str
    tenant_id: str
    mutuelle: str
    scheme: str
    currency: str
    on: str
    operators: tuple[str, ...]
    shortcut: str = ""
    spoken: str = ""
    household: HouseholdFacts | None = None
    draft: dict[str, Any] | None = field(default=None)

    def as_json(self) -> dict[str, Any]:
        home = self.household
        told = home and {
            **vars(home),
            "pending": home.pending and dict(vars(home.pending)),
            "appeal": home.appeal and dict(vars(home.appeal)),
        }
        return {**vars(self), "household": told}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Facts":
        home = told.get("household")
        if home:
            pending, appeal = home.get("pending"), home.get("appeal")
            parts = {
                "pending": Pending(**pending) if pending else None,
                "appeal": Appeal(**appeal) if appeal else None,
            }
            home = HouseholdFacts(**{**home, **parts})
        return cls(**{**told, "household": home, "operators": tuple(told["operators"])})
