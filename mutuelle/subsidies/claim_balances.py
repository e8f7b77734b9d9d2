"""Keeps what a payer was asked for, accepted, rejected and got back, by bill and member. Pure: no session.

A line above 0 asks for money, a line below 0 gives it back. The lines of the claim that is being drafted are
booked as if the payer had accepted them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from uuid import UUID

from mutuelle.schemes import schemes
from mutuelle.subsidies.claim_eligibility import members_covered, members_who_changed
from mutuelle.subsidies.claim_lines import ClaimHousehold, DraftLine, EarlierLine, LineAnswer, PayableLine


@dataclass
class MemberClaims:
    """What was claimed of one bill for one member, in whole units.

    `requested` and `rejected` are by bill line. `requested` is without rejected lines, less what was given
    back. `rejected` holds the first line above 0 that the payer rejected, if the bill line began above 0:
    a line above 0 that corrects one below 0 is no request.
    """

    requested: Counter[UUID] = field(default_factory=Counter)
    rejected: dict[UUID, int] = field(default_factory=dict)
    accepted: int = 0
    given_back: int = 0
    waiting: bool = False
    last_accepted: UUID | None = None
    first: dict[UUID, int] = field(default_factory=dict)

    @property
    def balance(self) -> int:
        """What the payer accepted and did not get back; below 0 it got back more than it accepted."""
        return self.accepted - self.given_back

    @property
    def refundable(self) -> int:
        """The most that a smaller bill may give back: all that was asked for.

        A rejected line counts unless it was asked again, so that the part of a decrease that falls to it is
        not moved to other members.
        """
        return sum(
            self.requested[line_id] or self.rejected.get(line_id, 0)
            for line_id in {*self.requested, *self.rejected}
        )

    def book_draft(self, line: DraftLine) -> None:
        """Books a line of the claim that is being drafted."""
        self.requested[line.bill_line_id] += line.amount
        self.accepted += max(0, line.amount)
        self.given_back += max(0, -line.amount)

    def book_earlier(self, earlier: EarlierLine) -> None:
        """Books a line of an earlier claim; the oldest line must come first."""
        line_id, amount = earlier.line.bill_line_id, earlier.line.amount
        first = self.first.setdefault(line_id, amount)
        if earlier.answer == LineAnswer.REJECTED:
            if amount > 0 < first:
                self.rejected.setdefault(line_id, amount)
            return
        self.requested[line_id] += amount
        if amount < 0:
            self.given_back -= amount
        elif earlier.answer == LineAnswer.ACCEPTED:
            self.accepted += amount
            self.last_accepted = earlier.id
        else:
            self.waiting = True


class ClaimBalances:
    """What was claimed for one household, by bill and member, the lines of the new draft included.

    `unclaimable` is by bill: the units that no line asks for and none will, see `unclaimable_rest`.
    """

    def __init__(self, household: ClaimHousehold) -> None:
        self.household = household
        self.unclaimable = Counter[UUID]()
        self._claims = defaultdict[tuple[UUID, UUID], MemberClaims](MemberClaims)
        self._earlier = defaultdict[UUID, list[EarlierLine]](list)
        for earlier in household.claimed:
            self._claims[earlier.bill_id, earlier.line.member_id].book_earlier(earlier)
            self._earlier[earlier.line.bill_line_id].append(earlier)
        for payable in household.payables:
            self.unclaimable[payable.bill_id] += self.unclaimable_rest(payable)

    def claims_of(self, bill_id: UUID, member_id: UUID) -> MemberClaims:
        """Returns what was claimed of a bill for a member."""
        return self._claims[bill_id, member_id]

    def book(self, bill_id: UUID, lines: Iterable[DraftLine]) -> None:
        """Books lines of the claim that is being drafted, all of one bill."""
        for line in lines:
            self.claims_of(bill_id, line.member_id).book_draft(line)

    def standing_units(self, payable: PayableLine) -> dict[UUID, int]:
        """Returns the units of a bill line that are asked for and not rejected, by member, without zeros."""
        return {
            member_id: claims.requested[payable.line_id]
            for (bill_id, member_id), claims in self._claims.items()
            if bill_id == payable.bill_id and claims.requested[payable.line_id]
        }

    def unclaimable_rest(self, payable: PayableLine) -> int:
        """Returns the units of a bill line that no line will ask for, because each of its members has a line.

        0 while a member of the bill line has no line.
        """
        standing = self.standing_units(payable)
        rest = payable.amount - sum(standing.values())
        if not standing or not rest:
            return 0
        version = schemes.get(payable.scheme).version(payable.version)
        members = self.household.members
        members = members_who_changed(members, payable, version) or members_covered(members, payable, version)
        return rest if members and all(member.id in standing for member in members) else 0

    def unanswered(self, payable: PayableLine, member_id: UUID) -> bool:
        """Returns whether an earlier line of this bill line waits for its payer's answer."""
        return any(earlier.answer is None for earlier in self._lines(payable, member_id))

    def rejected_line(self, payable: PayableLine, member_id: UUID) -> UUID | None:
        """Returns the id of the member's last line of this bill line and of its sign, if it was rejected."""
        lines = [line for line in self._lines(payable, member_id) if line.line.amount * payable.amount > 0]
        return lines[-1].id if lines and lines[-1].answer == LineAnswer.REJECTED else None

    def reversals(self, payable: PayableLine) -> list[DraftLine]:
        """Returns a line that takes back each accepted line of a bill line.

        A line without an answer is not taken back: its payer may still reject it.
        """
        standing = self.standing_units(payable)
        last = {
            earlier.line.member_id: earlier
            for earlier in self._earlier[payable.line_id]
            if earlier.line.amount * payable.amount > 0 and earlier.answer != LineAnswer.REJECTED
        }
        return [
            replace(earlier.line, amount=-standing[member_id], corrects=earlier.id)
            for member_id, earlier in last.items()
            if member_id in standing and earlier.answer == LineAnswer.ACCEPTED
        ]

    def _lines(self, payable: PayableLine, member_id: UUID) -> list[EarlierLine]:
        return [line for line in self._earlier[payable.line_id] if line.line.member_id == member_id]
