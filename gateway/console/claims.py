"""*Subventions*: claims of subsidies to State, commune or sponsor.

One manager drafts a claim, another checks it; the payer's answers are noted by line.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from uuid import UUID

from flask import Blueprint, Response, abort, request, url_for
from sqlalchemy.orm import Session

from gateway import claim_documents
from gateway.console import login_session, render
from gateway.console.actions import YES, Answer, perform
from mutuelle import audit
from mutuelle.audit import Subject
from mutuelle.errors import Refused
from mutuelle.money import from_typed
from mutuelle.organisation import logins, sponsors
from mutuelle.organisation.logins import Manager
from mutuelle.organisation.tenants import Tenant
from mutuelle.schemes import money_rules, schemes
from mutuelle.subsidies import claim_drafts, claim_steps, claim_store, claim_totals
from mutuelle.subsidies.claim_lines import Period
from mutuelle.subsidies.claim_steps import PayerAnswer
from mutuelle.subsidies.claim_store import Claim

bp = Blueprint("claims", __name__, url_prefix="/subventions")
PER_PAGE = 30
WHOLE_CLAIM_S = 55  # for a transaction that reads or writes every line of a claim
ANSWERS = {YES: True, "non": False}


@bp.get("")
def page() -> Answer:
    """Every claim, newest first, and the form that drafts one."""
    with login_session.transaction() as session:
        return _list(session)


def _list(session: Session, refusal: Refused | None = None) -> Answer:
    tenant, number, today = render.tenant(session), render.page_number(), render.today(session)
    rows = claim_store.newest(session, tenant.id, PER_PAGE + 1, (number - 1) * PER_PAGE)
    return render.page(
        session,
        "claims.html",
        refusal=refusal,
        payers=_payers(session, tenant),
        rows=rows[:PER_PAGE],
        rests=claim_totals.rests(session, rows[:PER_PAGE]),
        more=len(rows) > PER_PAGE,
        number=number,
        month=_last_month(today),
        yesterday=today - timedelta(1),
    )


def _payers(session: Session, tenant: Tenant) -> dict[str, str]:
    """Returns the payers that a claim can be drafted for, with their French names."""
    codes = {payer for version in schemes.get(tenant.scheme).versions for payer in version.payers}
    codes -= {money_rules.SPONSOR}
    payers = {code: claim_documents.PAYERS[code] for code in sorted(codes & claim_drafts.PAYERS.keys())}
    for sponsor in sponsors.with_bill_lines(session, tenant.id):
        payers[f"{money_rules.SPONSOR}:{sponsor.code}"] = f"Parrain : {sponsor.name}"
    return payers


@bp.post("")
def draft() -> Answer:
    """Drafts a claim of everything that may be claimed."""
    payer, _, code = request.form.get("payeur", "").partition(":")

    def action(session: Session) -> str:
        again, manager = "encore" in request.form, login_session.manager()
        claim = claim_drafts.draft(session, manager, payer, _period(), sponsor=code or None, again=again)
        return url_for("console.claims.claim_page", claim_id=claim.id, dit="subvention-preparee")

    return perform(action, _list, WHOLE_CLAIM_S)


def _period() -> Period:
    try:
        return Period(
            date.fromisoformat(request.form.get("du", "")), date.fromisoformat(request.form.get("au", ""))
        )
    except ValueError:
        raise Refused("claim.period") from None


def _last_month(today: date) -> Period:
    until = today.replace(day=1) - timedelta(1)
    return Period(until.replace(day=1), until)


@bp.get("/<uuid:claim_id>")
def claim_page(claim_id: UUID) -> Answer:
    """One claim: its sums, what it left out and why, its next steps, its lines."""
    with login_session.transaction() as session:
        return _claim_page(session, _get(session, claim_id))


def _get(session: Session, claim_id: UUID) -> Claim:
    return session.get(Claim, (login_session.manager().tenant_id, claim_id)) or abort(404)


def _claim_page(session: Session, claim: Claim, refusal: Refused | None = None) -> Answer:
    number, (households, members) = render.page_number(), claim_totals.people(session, claim)
    return render.page(
        session,
        "claim.html",
        refusal=refusal,
        claim=claim,
        payer=claim_documents.payer(session, claim),
        basis=claim_documents.basis(session, claim),
        sums=claim_totals.sums(session, claim),
        households=households,
        members=members,
        categories=claim_totals.by_category(session, claim),
        left_out=claim_totals.by_reason(session, claim),
        labels=claim_documents.labels(session, claim),
        lines=claim_store.lines(session, claim, PER_PAGE, (number - 1) * PER_PAGE),
        payments=claim_store.payments(session, claim),
        names=logins.names(session, claim.tenant_id),
        number=number,
        more=claim.lines > number * PER_PAGE,
    )


@bp.get("/<uuid:claim_id>/non-demande")
def left_out(claim_id: UUID) -> Answer:
    """What the claim leaves out, bill by bill."""
    with login_session.transaction() as session:
        claim, number = _get(session, claim_id), render.page_number()
        rows = claim_store.left_out(session, claim, PER_PAGE + 1, (number - 1) * PER_PAGE)
        return render.page(
            session,
            "left_out.html",
            claim=claim,
            rows=rows[:PER_PAGE],
            more=len(rows) > PER_PAGE,
            number=number,
        )


@bp.get("/<uuid:claim_id>/fichier.<kind>")
def file(claim_id: UUID, kind: str) -> Response:
    """The lines as CSV or workbook, or the page to sign. The audit trail keeps who took it."""
    if kind not in claim_documents.KINDS:
        abort(404)
    with login_session.transaction() as session:
        claim, actor = _get(session, claim_id), login_session.manager().actor
        audit.record(
            session, claim.tenant_id, actor, "claim-exported", audit.about(Subject.CLAIM, claim.id), kind=kind
        )
        content = claim_documents.write(session, claim, kind)
    headers = {"Content-Disposition": f'attachment; filename="{claim_documents.file_name(claim, kind)}"'}
    return Response(content, content_type=claim_documents.KINDS[kind], headers=headers)


@bp.post("/<uuid:claim_id>/verifier")
def check(claim_id: UUID) -> Answer:
    """A second manager checks the claim."""
    return _act(claim_id, claim_steps.check, "subvention-verifiee")


@bp.post("/<uuid:claim_id>/envoyer")
def send(claim_id: UUID) -> Answer:
    """Notes that the claim was sent to its payer."""
    return _act(claim_id, claim_steps.send, "subvention-envoyee")


@bp.post("/<uuid:claim_id>/annuler")
def cancel(claim_id: UUID) -> Answer:
    """Cancels a claim that was not sent."""
    return _act(claim_id, claim_steps.cancel, "subvention-annulee")


@bp.post("/<uuid:claim_id>/reponses")
def answer(claim_id: UUID) -> Answer:
    """Notes the payer's answers to the lines of a page."""
    answers = list(_answers())
    return _act(
        claim_id,
        lambda session, manager, claim: claim_steps.answer(session, manager, claim, answers),
        "subvention-reponses",
    )


@bp.post("/<uuid:claim_id>/accepter")
def accept(claim_id: UUID) -> Answer:
    """Accepts every line without an answer."""
    return _act(claim_id, claim_steps.accept_rest, "subvention-reponses")


@bp.post("/<uuid:claim_id>/paye")
def note_payment(claim_id: UUID) -> Answer:
    """Notes money that the payer sent to the bank, or that went back to it."""
    reference = " ".join(request.form.get("reference", "").split())

    def pay(session: Session, manager: Manager, claim: Claim) -> None:
        rest = claim_totals.sums(session, claim).rest
        amount = from_typed(request.form.get("montant", ""), claim.currency) * (-1 if rest < 0 else 1)
        claim_steps.pay(session, manager, claim, amount, reference, render.today(session))

    return _act(claim_id, pay, "subvention-payee")


def _answers() -> Iterator[PayerAnswer]:
    """Reads the answered lines of the form: `r12` holds the answer to line 12, `m12` its reason."""
    for field, value in request.form.items():
        if field[:1] == "r" and field[1:].isdecimal() and value in ANSWERS:
            reason = " ".join(request.form.get(f"m{field[1:]}", "").split())
            yield PayerAnswer(int(field[1:]), ANSWERS[value], "" if ANSWERS[value] else reason)


def _act(claim_id: UUID, step: Callable[[Session, Manager, Claim], object], notice: str) -> Answer:
    """Runs a step of the claim and returns to its page."""
    number = request.form.get("page", 1, type=int)

    def action(session: Session) -> str:
        step(session, login_session.manager(), _get(session, claim_id))
        return url_for(
            "console.claims.claim_page",
            claim_id=claim_id,
            dit=notice,
            page=number if number > 1 else None,
        )

    return perform(
        action,
        lambda session, refusal: _claim_page(session, _get(session, claim_id), refusal),
        WHOLE_CLAIM_S,
    )
