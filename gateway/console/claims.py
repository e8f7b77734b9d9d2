"""*Subventions*: what is asked of State, commune or sponsor. One person drafts, another checks; the payer
answers by line."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from uuid import UUID

from flask import Blueprint, Response, abort, request, url_for
from sqlalchemy.orm import Session

from gateway import claim_documents
from gateway.console import login_session, render
from gateway.console.actions import Answer as Shown
from gateway.console.actions import act
from mutuelle import audit
from mutuelle.errors import Refused
from mutuelle.money import from_typed
from mutuelle.organisation import logins, sponsors
from mutuelle.organisation.logins import Manager
from mutuelle.schemes import money_rules, schemes
from mutuelle.subsidies import claim_drafts, claim_store, claim_totals, claims
from mutuelle.subsidies.claim_lines import Period
from mutuelle.subsidies.claim_store import Claim
from mutuelle.subsidies.claims import PayerAnswer

bp = Blueprint("claims", __name__, url_prefix="/subventions")
PER_PAGE = 30
WHOLE_S = 55  # what reads or writes every line of a claim
ANSWERS = {"oui": True, "non": False}


@bp.get("")
def page() -> Shown:
    """Every claim, newest first, and the form that drafts one."""
    with login_session.acting() as session:
        return _list(session)


def _list(session: Session, why: Refused | None = None) -> Shown:
    tenant, at = render.mine(session), render.place()
    rows = claim_store.newest(session, tenant.id, PER_PAGE + 1, (at - 1) * PER_PAGE)
    named = {payer for version in schemes.get(tenant.scheme).versions for payer in version.payers} - {
        money_rules.SPONSOR
    }
    payers = {payer: claim_documents.PAYERS[payer] for payer in sorted(named & claim_drafts.PAYERS.keys())}
    payers |= {
        f"{money_rules.SPONSOR}:{one.code}": f"Parrain : {one.name}"
        for one in sponsors.with_bill_lines(session, tenant.id)
    }
    today = render.today(session)
    shown = rows[:PER_PAGE]
    facts = {
        "rows": shown,
        "rests": claim_totals.rests(session, shown),
        "more": len(rows) > PER_PAGE,
        "at": at,
        "month": _last_month(today),
        "yesterday": today - timedelta(1),
    }
    return render.page(session, "claims.html", why=why, payers=payers, **facts)


@bp.post("")
def draft() -> Shown:
    """Write a draft of everything that may be claimed."""
    payer, _, code = request.form.get("payeur", "").partition(":")

    def do(session: Session) -> str:
        again = "encore" in request.form
        claim = claims.draft(session, login_session.me(), payer, _period(), sponsor=code or None, again=again)
        return url_for("console.claims.one", claim_id=claim.id, dit="subvention-preparee")

    return act(do, _list, WHOLE_S)


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
def one(claim_id: UUID) -> Shown:
    """One claim: its sums, what it left out and why, what can be done, its lines."""
    with login_session.acting() as session:
        return _one(session, _found(session, claim_id))


def _found(session: Session, claim_id: UUID) -> Claim:
    return session.get(Claim, (login_session.me().tenant_id, claim_id)) or abort(404)


def _one(session: Session, claim: Claim, why: Refused | None = None) -> Shown:
    at, (homes, members) = render.place(), claim_totals.people(session, claim)
    facts = {
        "claim": claim,
        "payer": claim_documents.payer(session, claim),
        "sums": claim_totals.sums(session, claim),
        "homes": homes,
        "members": members,
        "categories": claim_totals.by_category(session, claim),
        "left_out": claim_totals.by_reason(session, claim),
        "labels": claim_documents.labels(session, claim),
        "lines": claim_store.lines(session, claim, PER_PAGE, (at - 1) * PER_PAGE),
        "payments": claim_store.payments(session, claim),
        "names": logins.names(session, claim.tenant_id),
        "at": at,
        "more": claim.lines > at * PER_PAGE,
        "today": render.today(session),
    }
    return render.page(session, "claim.html", why=why, **facts)


@bp.get("/<uuid:claim_id>/non-demande")
def left_out(claim_id: UUID) -> Shown:
    """What the claim leaves out, bill by bill."""
    with login_session.acting() as session:
        claim, at = _found(session, claim_id), render.place()
        rows = claim_store.left_out(session, claim, PER_PAGE + 1, (at - 1) * PER_PAGE)
        return render.page(
            session, "leftout.html", claim=claim, rows=rows[:PER_PAGE], more=len(rows) > PER_PAGE, at=at
        )


@bp.get("/<uuid:claim_id>/fichier.<kind>")
def file(claim_id: UUID, kind: str) -> Response:
    """The lines as CSV or workbook, or the page to sign; who took it stands in the trail."""
    if kind not in claim_documents.KINDS:
        abort(404)
    with login_session.acting() as session:
        claim = _found(session, claim_id)
        audit.record(
            session,
            claim.tenant_id,
            login_session.me().actor,
            "claim-exported",
            f"claim:{claim.id}",
            kind=kind,
        )
        made = claim_documents.write(session, claim, kind)
    handed = {"Content-Disposition": f'attachment; filename="{claim_documents.name(claim, kind)}"'}
    return Response(made, content_type=claim_documents.KINDS[kind], headers=handed)


@bp.post("/<uuid:claim_id>/verifier")
def check(claim_id: UUID) -> Shown:
    """The second person agrees."""
    return _act(claim_id, claims.check, "subvention-verifiee")


@bp.post("/<uuid:claim_id>/envoyer")
def send(claim_id: UUID) -> Shown:
    """It went to its payer."""
    return _act(claim_id, claims.send, "subvention-envoyee")


@bp.post("/<uuid:claim_id>/annuler")
def cancel(claim_id: UUID) -> Shown:
    """It will not be sent."""
    return _act(claim_id, claims.cancel, "subvention-annulee")


@bp.post("/<uuid:claim_id>/reponses")
def answer(claim_id: UUID) -> Shown:
    """What the payer said of the lines of a page."""
    told = list(_answers())
    return _act(
        claim_id,
        lambda session, person, claim: claims.answer(session, person, claim, told),
        "subvention-reponses",
    )


@bp.post("/<uuid:claim_id>/accepter")
def accept(claim_id: UUID) -> Shown:
    """Whatever has no answer is accepted."""
    return _act(claim_id, claims.accept_rest, "subvention-reponses")


@bp.post("/<uuid:claim_id>/paye")
def paid(claim_id: UUID) -> Shown:
    """Money of the payer came to the bank, or went back to it."""
    reference = " ".join(request.form.get("reference", "").split())

    def noted(session: Session, person: Manager, claim: Claim) -> None:
        rest = claim_totals.sums(session, claim).rest
        amount = from_typed(request.form.get("montant", ""), claim.currency) * (-1 if rest < 0 else 1)
        claims.pay(session, person, claim, amount, reference, render.today(session))

    return _act(claim_id, noted, "subvention-payee")


def _answers() -> Iterator[PayerAnswer]:
    """One for each line of the form that was answered: `r12` says which answer, `m12` why."""
    for name, said in request.form.items():
        if name[:1] == "r" and name[1:].isdecimal() and said in ANSWERS:
            reason = " ".join(request.form.get(f"m{name[1:]}", "").split())
            yield PayerAnswer(int(name[1:]), ANSWERS[said], "" if ANSWERS[said] else reason)


def _act(claim_id: UUID, move: Callable[[Session, Manager, Claim], object], told: str) -> Shown:
    at = request.form.get("page", 1, type=int)

    def do(session: Session) -> str:
        move(session, login_session.me(), _found(session, claim_id))
        return url_for("console.claims.one", claim_id=claim_id, dit=told, page=at if at > 1 else None)

    return act(do, lambda session, why: _one(session, _found(session, claim_id), why), WHOLE_S)
