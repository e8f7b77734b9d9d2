"""The opening facts of a USSD session: everything its screens may show, as plain values that survive JSON.

The first turn's transaction reads them, and they are stored with the session row, so that a later turn can be
replayed from them and gives the same screens.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PendingPayment:
    """A payment under way: its amount in whole currency units and its operator.

    `link`: the operator gave a link to send. `ends` is the local time (`10:30`) at which the request expires,
    None when that time has passed and the end is being verified with the operator.
    """

    amount: int
    operator: str
    link: bool = False
    ends: str | None = None


@dataclass(frozen=True)
class Appeal:
    """An open ticket: its number, and the local date by which it is answered."""

    number: str
    deadline: str


@dataclass(frozen=True)
class HouseholdFacts:
    """The facts that one household may see about itself. Amounts are whole units, dates ISO local dates.

    The field names are JSON keys of stored sessions. `state` is one of open, waiting, part-paid, lapsed,
    suspended, never; `reason` is a `RightsReason`. `since` and `until` bound the state; `covered_from` and
    `covered_until` bound the next period of cover already paid for, if there is one. `owed` is the member's
    share still due on all open bills, joining fee included; `owed_dues` leaves the joining fee out.
    `state_share` is the share of State and commune on the open bills, `paid` what the member has paid on
    them. `left_to_open` is the least sum that opens (or prolongs) rights, and `opens_from` to `opens_until`
    the days it opens if paid today; 0 and None when there is nothing left to open. `credit` goes to the next
    bill. `promised` is the day of its open promise to pay, and `promise_until` the last useful day of a
    promise, where the dues are for a fixed year.
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
    pending: PendingPayment | None = None
    sms: bool = True
    reason: str = ""
    covered_from: str | None = None
    covered_until: str | None = None
    appeal: Appeal | None = None
    promised: str | None = None
    promise_until: str | None = None


@dataclass(frozen=True)
class Facts:
    """The opening facts of a session: `flow` is the version of the dialogue, `on` the local date.

    `shortcut` is what was dialled beyond the code, where the gateway reports it apart; `first_text` is the
    transcript of the first turn (a shortcut too, when it is not empty). Both are read up to the first
    Confirm, and a replay must know where they ended. `draft` is the position at which an earlier session of
    this phone was dropped: {flow, screen, answers, path}.
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
    first_text: str = ""
    household: HouseholdFacts | None = None
    draft: dict[str, Any] | None = field(default=None)

    def as_json(self) -> dict[str, Any]:
        values, household = dict(vars(self)), self.household
        values["spoken"] = values.pop("first_text")  # the key in stored sessions
        values["household"] = household and {
            **vars(household),
            "pending": household.pending and dict(vars(household.pending)),
            "appeal": household.appeal and dict(vars(household.appeal)),
        }
        return values

    @classmethod
    def from_json(cls, payload: dict[str, Any]) -> "Facts":
        values, household = dict(payload), payload.get("household")
        if household:
            pending, appeal = household.get("pending"), household.get("appeal")
            parts = {
                "pending": PendingPayment(**pending) if pending else None,
                "appeal": Appeal(**appeal) if appeal else None,
            }
            household = HouseholdFacts(**{**household, **parts})
        values |= {"household": household, "operators": tuple(payload["operators"])}
        values["first_text"] = values.pop("spoken", "")
        return cls(**values)
