"""Moves a drafted subsidy claim along: check by a second person, send, answer line by line, pay.

Nothing of a claim is edited: a draft that is no longer right is cancelled and drafted anew, and later changes
come as lines of the next claim. The ledger gets a posting when a claim is sent, when lines are rejected and
when money comes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from mutuelle import clock, inserts, phone
from mutuelle.errors import Refused
from mutuelle.money import Money
from mutuelle.organisation.logins import Manager
from mutuelle.payments import ledger
from mutuelle.payments.ledger import Move
from mutuelle.subsidies import claim_checks, claim_csv, claim_duplicates, claim_store, claim_totals
from mutuelle.subsidies.claim_lines import ClaimDuplicates, ClaimState, LineAnswer
from mutuelle.subsidies.claim_store import AnsweredLine, Claim, ClaimAnswer, ClaimLine, ClaimPayment

MOVES = {
    ClaimState.DRAFTED: {ClaimState.CHECKED, ClaimState.CANCELLED},
    ClaimState.CHECKED: {ClaimState.SENT, ClaimState.CANCELLED},
    ClaimState.SENT: {ClaimState.PAID},
    ClaimState.PAID: set(),
    ClaimState.CANCELLED: set(),
}


@dataclass(frozen=True)
class PayerAnswer:
    """The payer's answer to the line at `position`; a rejection has a reason."""

    position: int
    accepted: bool
    reason: str = ""


def check(session: Session, manager: Manager, claim: Claim) -> None:
    """Records that a second person agrees, and that the claim can still be made from the books unchanged.

    Refused: "claim.moved" when it is no draft any more, "claim.four-eyes" for the person who drafted it,
    "claim.stale" with the first difference when it must be drafted anew, as a draft of an older format must,
    and one of which a likely duplicate was found or decided since.
    """
    claim = _lock(session, claim, ClaimState.CHECKED)
    if claim.made_by == manager.id:
        raise Refused("claim.four-eyes")
    if claim.format != claim_csv.FORMAT:
        raise Refused("claim.stale", first="it was drafted before covered days were counted")
    if differences := claim_checks.remake(session, claim).differences:
        raise Refused("claim.stale", first=differences[0])
    if position := _line_of_duplicate(session, claim):
        raise Refused("claim.stale", first=f"line {position}: the member is likely claimed elsewhere")
    claim.state, claim.checked_by, claim.checked_at = ClaimState.CHECKED, manager.id, clock.now()
    claim_store.record(session, manager, "claim-checked", claim)


def _line_of_duplicate(session: Session, claim: Claim) -> int | None:
    """Returns the position of the first line that would not be asked for by what is known now."""
    lines = [line.csv_line for line in claim_store.lines(session, claim)]
    duplicates = claim_duplicates.read(
        session,
        claim.tenant_id,
        {csv_line.line.household_id for csv_line in lines},
        clock.now(),
        payer=claim.payer,
        sponsor_id=claim.sponsor_id,
        own=claim.id,
    )
    for csv_line in lines:
        line = csv_line.line
        of_household = duplicates.get(line.household_id, ClaimDuplicates())
        if line.amount > 0 and of_household.forbid(line.member_id, (line.days_from, line.days_until)):
            return csv_line.position
    return None


def cancel(session: Session, manager: Manager, claim: Claim) -> None:
    """Cancels a claim, which frees its lines. Refused("claim.moved") when it was sent or cancelled."""
    claim = _lock(session, claim, ClaimState.CANCELLED)
    claim.state, claim.ended_by, claim.ended_at = ClaimState.CANCELLED, manager.id, clock.now()
    claim_store.record(session, manager, "claim-cancelled", claim)


def send(session: Session, manager: Manager, claim: Claim) -> None:
    """Marks the claim as sent and books the receivable. Refused("claim.moved") unless it was checked."""
    claim = _lock(session, claim, ClaimState.SENT)
    claim.state, claim.sent_by, claim.sent_at = ClaimState.SENT, manager.id, clock.now()
    amounts = session.scalars(select(ClaimLine.amount).where(claim_store.belongs_to(ClaimLine, claim)))
    _post(session, claim, f"claim:{claim.id}", amounts)
    claim_store.record(session, manager, "claim-sent", claim)


def answer(session: Session, manager: Manager, claim: Claim, answers: Sequence[PayerAnswer]) -> int:
    """Records the payer's answers to lines, and books back what it rejects. Returns how many were new.

    Refused: "claim.not-sent", "claim.no-line", "claim.reason", "claim.answered" for a line that was answered
    otherwise before.
    """
    claim = _lock(session, claim)
    if claim.state not in (ClaimState.SENT, ClaimState.PAID):
        raise Refused("claim.not-sent")
    lines = {line.csv_line.position: line for line in claim_store.lines(session, claim)}
    new: dict[int, PayerAnswer] = {}
    for payer_answer in answers:
        position = payer_answer.position
        if position not in lines:
            raise Refused("claim.no-line", line=position)
        earlier = _stored_answer(lines[position]) or new.get(position)
        if earlier is not None and earlier != payer_answer:
            raise Refused("claim.answered", line=position)
        if not payer_answer.accepted and not _is_reason(payer_answer.reason):
            raise Refused("claim.reason", line=position)
        if earlier is None:
            new[position] = payer_answer
    if new:
        answered = [(lines[position], payer_answer) for position, payer_answer in new.items()]
        _write_answers(session, manager, claim, answered)
    return len(new)


def _write_answers(
    session: Session, manager: Manager, claim: Claim, answered: Sequence[tuple[AnsweredLine, PayerAnswer]]
) -> None:
    shared = {"tenant_id": claim.tenant_id, "noted_by": manager.id, "noted_at": clock.now()}
    rows = (
        {
            **shared,
            "line_id": line.line_id,
            "id": clock.new_id(),
            "answer": LineAnswer.ACCEPTED if payer_answer.accepted else LineAnswer.REJECTED,
            "reason": payer_answer.reason or None,
        }
        for line, payer_answer in answered
    )
    inserts.add(session, ClaimAnswer, *rows)
    rejected = [-line.csv_line.line.amount for line, payer_answer in answered if not payer_answer.accepted]
    if rejected:
        _post(session, claim, f"claim-answer:{clock.new_id()}", rejected)
    claim_store.record(
        session, manager, "claim-answered", claim, lines=len(answered), rejected=-sum(rejected)
    )
    _end_if_settled(session, manager, claim)


def accept_rest(session: Session, manager: Manager, claim: Claim) -> int:
    """Accepts every line without an answer. Returns how many lines. Refused("claim.not-sent")."""
    unanswered = [line.csv_line.position for line in claim_store.lines(session, claim) if line.answer is None]
    return answer(session, manager, claim, [PayerAnswer(position, True) for position in unanswered])


def pay(session: Session, manager: Manager, claim: Claim, amount: int, reference: str, on: date) -> None:
    """Records money that came to the bank on the day `on`, under the bank's reference.

    An amount below 0 went back to the payer. Refused: "claim.not-sent", "claim.amount" when more comes, or
    goes back, than is due, "claim.reference" when it is no reference, "claim.reference-known" with the
    claim's number when a payment has it already, of this claim or another.
    """
    claim_store.lock_mutuelle(session, "claim-payments", claim.tenant_id)
    claim = _lock(session, claim)
    if claim.state != ClaimState.SENT:
        raise Refused("claim.not-sent")
    rest = claim_totals.sums(session, claim).rest
    if not amount or amount * rest <= 0 or abs(amount) > abs(rest):
        raise Refused("claim.amount", rest=rest)
    if not 3 <= len(reference) <= 80 or not reference.isprintable() or reference.startswith("+"):
        raise Refused("claim.reference")
    if number := claim_store.paid_under(session, claim.tenant_id, reference):
        raise Refused("claim.reference-known", number=number)
    payment = {
        "tenant_id": claim.tenant_id,
        "id": clock.new_id(),
        "claim_id": claim.id,
        "amount": amount,
        "reference": reference,
        "on_day": on,
        "noted_by": manager.id,
        "noted_at": clock.now(),
    }
    inserts.add(session, ClaimPayment, payment)
    transfer = Move(ledger.bank_of(claim.tenant_id), _receivable(claim), Money(abs(amount), claim.currency))
    moves = [transfer] if amount > 0 else ledger.reverse([transfer])
    ledger.post(session, claim.tenant_id, f"claim-payment:{payment['id']}", clock.now(), moves)
    claim_store.record(session, manager, "claim-paid", claim, paid=amount)
    _end_if_settled(session, manager, claim)


def _end_if_settled(session: Session, manager: Manager, claim: Claim) -> None:
    """Marks the claim as paid once every line is answered and what was accepted is paid."""
    if claim_totals.sums(session, claim).settled:
        claim.state, claim.ended_by, claim.ended_at = ClaimState.PAID, manager.id, clock.now()


def _post(session: Session, claim: Claim, reference: str, amounts: Iterable[int]) -> None:
    """Books by how much the payer's debt grows; an amount below 0 makes it smaller."""
    amounts = list(amounts)
    more, less = sum(units for units in amounts if units > 0), -sum(units for units in amounts if units < 0)
    receivable, fund = _receivable(claim), ledger.fund_of(claim.tenant_id)
    moves = [
        Move(receivable, fund, Money(more, claim.currency)),
        Move(fund, receivable, Money(less, claim.currency)),
    ]
    ledger.post(session, claim.tenant_id, reference, clock.now(), moves)


def _receivable(claim: Claim) -> str:
    return ledger.receivable_of(claim.tenant_id, claim.payer, claim.sponsor_id)


def _stored_answer(line: AnsweredLine) -> PayerAnswer | None:
    if line.answer is None:
        return None
    return PayerAnswer(line.csv_line.position, line.answer == LineAnswer.ACCEPTED, line.reason or "")


def _is_reason(text: str) -> bool:
    """Returns whether this is text of 3 to 200 letters without a phone number, grouped or not."""
    return 3 <= len(text) <= 200 and text.isprintable() and not phone.PATTERN.search(text)


def _lock(session: Session, claim: Claim, state: ClaimState | None = None) -> Claim:
    """Locks the claim and returns it as stored. Refused("claim.moved") when it cannot become `state`."""
    query = select(Claim).where(Claim.tenant_id == claim.tenant_id, Claim.id == claim.id)
    claim = session.scalars(query.with_for_update().execution_options(populate_existing=True)).one()
    if state is not None and state not in MOVES[ClaimState(claim.state)]:
        raise Refused("claim.moved", state=claim.state)
    return claim
