"""The control API for everything that is not a phone: operators, faults, the clock, SMS outcomes, and the
truth."""

import csv
import io
from datetime import datetime

from flask import Blueprint, Response, jsonify, request

from sandbox.clock import iso
from sandbox.control_phones import body, planned_outcome
from sandbox.refusal import Refusal, phone_number, text_of, whole_amount
from sandbox.settings import WaveAccount
from sandbox.wave import WaveError, transaction_page
from sandbox.world import World

OPERATORS = ("wave", "mtn")
MTN_STATEMENT_NOTE = (
    "# Assumed layout: MTN publishes no statement format; a partner portal export is all that is known."
)
MTN_COLUMNS = ("Id", "External id", "Date", "Status", "Type", "From", "To", "Amount", "Currency")


def operators(world: World) -> Blueprint:
    """`/operators/{op}/pay`, `/reverse`, `/statement`; 501 where no wire format is known."""
    bp = Blueprint("operators", __name__, url_prefix="/operators/<operator>")

    @bp.post("/pay")
    def pay(operator: str) -> Response:
        _known(operator)
        said = body()
        if operator == "mtn":
            raise Refusal(
                501, "MTN has no known wire format for an unsolicited payment", "use a request to pay"
            )
        if said.get("reference"):
            raise Refusal(501, "an unsolicited Wave payment carries no reference", "leave `reference` out")
        account = _wave_account(world, said.get("to"))
        payer, amount = phone_number(text_of(said, "from")), whole_amount(said.get("amount"))
        return jsonify({"transaction": world.wave.pay(account, payer, amount)})

    @bp.post("/reverse")
    def reverse(operator: str) -> Response:
        _known(operator)
        if operator == "mtn":
            raise Refusal(
                501, "MTN has no known wire format for a reversal", "reverse a Wave payment instead"
            )
        moved = world.wave.reverse(text_of(body(), "transaction"))
        return jsonify(
            {"transaction": moved["transaction"], "reversed": True, "reversed_at": moved["reversed_at"]}
        )

    @bp.get("/statement")
    def statement(operator: str) -> Response:
        _known(operator)
        account = request.args.get("account", "")
        date = request.args.get("date") or iso(world.kernel.clock.now())[:10]
        if account not in (world.wave.accounts if operator == "wave" else world.mtn.accounts):
            raise Refusal(
                404, f"{operator} knows no account {account!r}", "add ?account=… as in the configuration"
            )
        if operator == "mtn":
            return _mtn_statement(world, account, date)
        try:
            return jsonify(
                transaction_page(
                    world.wave, account, date, request.args.get("after"), request.args.get("first")
                )
            )
        except WaveError as error:
            raise Refusal(error.status, str(error), "write the date as 2026-11-22") from error

    return bp


def blueprint(world: World) -> Blueprint:
    """`/faults`, `/truth`, `/clock`, `/sms/next`, `/outgoing`, `/codes`, `/health`."""
    bp = Blueprint("control", __name__)

    @bp.post("/faults")
    def set_faults() -> Response:
        world.kernel.faults.set(body())
        return jsonify(world.kernel.faults.shown())

    @bp.get("/faults")
    def show_faults() -> Response:
        return jsonify(world.kernel.faults.shown())

    @bp.get("/faults/struck")
    def struck() -> Response:
        """Which requests and payments of the operators each fault befell, and how often."""
        return jsonify(world.kernel.faults.struck())

    @bp.get("/truth")
    def truth() -> Response:
        return jsonify(
            world.truth.movements(
                request.args.get("operator"), request.args.get("account"), request.args.get("date")
            )
        )

    @bp.post("/sms/next")
    def next_sms() -> Response:
        said = body()
        outcome = planned_outcome(said)
        with world.kernel.lock:
            world.sms.planned.extend([outcome] * whole_amount(said.get("count", 1)))
            return jsonify({"planned": len(world.sms.planned)})

    @bp.post("/clock")
    def set_clock() -> Response:
        said = body()
        if "now" in said:
            world.tell(_moment(said["now"]))
            return show_clock()
        shift = said.get("shift_s")
        if isinstance(shift, bool) or not isinstance(shift, int | float) or abs(shift) > 10**10:
            raise Refusal(400, f"shift_s is {shift!r}", 'send {"shift_s": seconds}, from real time')
        world.kernel.clock.set_shift(shift)
        return show_clock()

    @bp.get("/clock")
    def show_clock() -> Response:
        return jsonify({"shift_s": world.kernel.clock.shift_s, "now": iso(world.kernel.clock.now())})

    @bp.get("/outgoing")
    def outgoing() -> Response:
        return jsonify(world.kernel.courier.shown())

    @bp.post("/outgoing/next")
    def next_letter() -> Response:
        said = body()
        answered = None if said.get("answered") is None else whole_amount(said["answered"], at_least=0)
        letter = world.advance(_moment(said.get("until")), answered)
        due = world.next_letter_at()
        return jsonify(
            {
                "now": world.kernel.clock.now().isoformat(),
                "letter": letter.shown() if letter else None,
                "next": due.isoformat() if due else None,
            }
        )

    @bp.get("/codes")
    def codes() -> Response:
        return jsonify(_offered(world))

    @bp.get("/health")
    def health() -> Response:
        return jsonify({"ok": True, "now": iso(world.kernel.clock.now())})

    return bp


def _moment(said: object) -> datetime:
    try:
        at = datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Refusal(400, f"{said!r} is not a moment", "write 2026-11-22T10:15:32+00:00")
    return at


def _offered(world: World) -> dict[str, object]:
    """What the phone page offers: `{"codes": [{"code","mutuelle","country","operators"}], "phones":
    [{"number","label"}]}`."""
    settings = world.kernel.settings
    codes = [
        {"code": one.code, "mutuelle": one.mutuelle, "country": one.country, "operators": one.operators}
        for one in settings.africastalking.codes
    ]
    return {"codes": codes, "phones": [{"number": one.number, "label": one.label} for one in settings.phones]}


def _known(operator: str) -> None:
    if operator not in OPERATORS:
        raise Refusal(404, f"no operator {operator!r} here", f"use one of {', '.join(OPERATORS)}")


def _wave_account(world: World, name: object) -> WaveAccount:
    accounts = world.wave.accounts
    if name is None and len(accounts) == 1:
        return next(iter(accounts.values()))
    if not isinstance(name, str) or name not in accounts:
        raise Refusal(404, f"Wave knows no account {name!r}", f"send `to` as one of {', '.join(accounts)}")
    return accounts[name]


def _mtn_statement(world: World, account: str, date: str) -> Response:
    """The day's successful collections as CSV; the first line says that the layout is assumed."""
    out = io.StringIO()
    out.write(MTN_STATEMENT_NOTE + "\r\n")
    lines = csv.writer(out)
    lines.writerow(MTN_COLUMNS)
    for moved in world.truth.movements("mtn", account, date):
        at = moved["at"].replace("T", " ").removesuffix("Z")
        payer = moved["payer"].removeprefix("+")
        row = (moved["transaction"], moved["external"], at, "SUCCESSFUL", "COLLECTION", payer, account)
        lines.writerow((*row, moved["amount"], moved["currency"]))
    return Response(out.getvalue(), content_type="text/csv; charset=utf-8")
