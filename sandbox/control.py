"""The control API beside phones: operators, faults, the clock, callbacks, SMS outcomes and movements."""

import csv
import io
from datetime import datetime

from flask import Blueprint, Response, jsonify, request

from sandbox import wave_wallet
from sandbox.clock import iso
from sandbox.control_phones import body, planned_outcome
from sandbox.refusal import Refusal, phone_number, text_field, whole_amount
from sandbox.settings import WaveAccount
from sandbox.wave import WaveError, transaction_page
from sandbox.world import World

OPERATORS = ("wave", "mtn")
MTN_STATEMENT_NOTE = (
    "# Assumed layout: MTN publishes no statement format; a partner portal export is all that is known."
)
MTN_COLUMNS = ("Id", "External id", "Date", "Status", "Type", "From", "To", "Amount", "Currency")


def operators(world: World) -> Blueprint:
    """`/operators/{op}/pay`, `/payout`, `/reverse`, `/fee`, `/statement`. 501 where no format is known."""
    bp = Blueprint("operators", __name__, url_prefix="/operators/<operator>")

    @bp.post("/pay")
    def pay(operator: str) -> Response:
        _require_operator(operator)
        return _pay(world, operator)

    @bp.post("/payout")
    def payout(operator: str) -> Response:
        _require_operator(operator)
        return _pay_out(world, operator)

    @bp.post("/reverse")
    def reverse(operator: str) -> Response:
        _require_operator(operator)
        if operator == "mtn":
            raise Refusal(
                501, "MTN has no known wire format for a reversal", "reverse a Wave payment instead"
            )
        payload = body()
        units = whole_amount(payload["amount"]) if "amount" in payload else None
        movement = world.wave.reverse(text_field(payload, "transaction"), units=units)
        shown = ("transaction", "reversed", "reversed_at", "returned")
        return jsonify({name: movement[name] for name in shown})

    @bp.post("/fee")
    def correct_fee(operator: str) -> Response:
        """Corrects the fee of a payment."""
        _require_operator(operator)
        if operator == "mtn":
            raise Refusal(501, "MTN has no known wire format for a fee", "correct a Wave payment's fee")
        payload = body()
        transaction, fee = text_field(payload, "transaction"), whole_amount(payload.get("fee"))
        return jsonify(wave_wallet.correct_fee(world.kernel, world.wave, transaction, fee))

    @bp.get("/statement")
    def statement(operator: str) -> Response:
        _require_operator(operator)
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


def faults(world: World) -> Blueprint:
    """`/faults` and `/faults/struck`."""
    bp = Blueprint("faults", __name__, url_prefix="/faults")

    @bp.post("")
    def set_faults() -> Response:
        world.kernel.faults.set(body())
        return jsonify(world.kernel.faults.as_json())

    @bp.get("")
    def show_faults() -> Response:
        return jsonify(world.kernel.faults.as_json())

    @bp.get("/struck")
    def struck() -> Response:
        """Returns which requests and payments each fault hit, and how often."""
        return jsonify(world.kernel.faults.strike_counts())

    return bp


def clock(world: World) -> Blueprint:
    """`/clock`, and the callbacks that wait for their time: `/outgoing`."""
    bp = Blueprint("clock", __name__)

    @bp.post("/clock")
    def set_clock() -> Response:
        payload = body()
        if "now" in payload:
            world.set_time(_moment(payload["now"]))
            return show_clock()
        shift = payload.get("shift_s")
        if isinstance(shift, bool) or not isinstance(shift, int | float) or abs(shift) > 10**10:
            raise Refusal(400, f"shift_s is {shift!r}", 'send {"shift_s": seconds}, from real time')
        world.kernel.clock.set_shift(shift)
        return show_clock()

    @bp.get("/clock")
    def show_clock() -> Response:
        return jsonify({"shift_s": world.kernel.clock.shift_s, "now": iso(world.kernel.clock.now())})

    @bp.get("/outgoing")
    def outgoing() -> Response:
        return jsonify(world.kernel.callbacks.counts())

    @bp.post("/outgoing/next")
    def next_callback() -> Response:
        payload = body()
        status = None if payload.get("answered") is None else whole_amount(payload["answered"], at_least=0)
        callback = world.advance(_moment(payload.get("until")), status)
        due = world.next_callback_at()
        return jsonify(
            {
                "now": world.kernel.clock.now().isoformat(),
                "letter": callback.as_json() if callback else None,
                "next": due.isoformat() if due else None,
            }
        )

    return bp


def blueprint(world: World) -> Blueprint:
    """`/truth`, `/sms/next`, `/codes`, `/health`."""
    bp = Blueprint("control", __name__)

    @bp.get("/truth")
    def truth() -> Response:
        args = request.args
        return jsonify(world.truth.movements(args.get("operator"), args.get("account"), args.get("date")))

    @bp.post("/sms/next")
    def next_sms() -> Response:
        payload = body()
        outcome = planned_outcome(payload)
        with world.kernel.lock:
            world.sms.planned.extend([outcome] * whole_amount(payload.get("count", 1)))
            return jsonify({"planned": len(world.sms.planned)})

    @bp.get("/codes")
    def codes() -> Response:
        return jsonify(_phone_page(world))

    @bp.get("/health")
    def health() -> Response:
        return jsonify({"ok": True, "now": iso(world.kernel.clock.now())})

    return bp


def _moment(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Refusal(400, f"{value!r} is not a moment", "write 2026-11-22T10:15:32+00:00")
    return at


def _phone_page(world: World) -> dict[str, object]:
    """Returns what the phone page offers: service codes, and demo phones as `{"number","label"}`."""
    settings = world.kernel.settings
    codes = [
        {"code": code.code, "mutuelle": code.mutuelle, "country": code.country, "operators": code.operators}
        for code in settings.africastalking.codes
    ]
    phones = [{"number": phone.number, "label": phone.label} for phone in settings.phones]
    return {"codes": codes, "phones": phones}


def _require_operator(operator: str) -> None:
    if operator not in OPERATORS:
        raise Refusal(404, f"no operator {operator!r} here", f"use one of {', '.join(OPERATORS)}")


def _pay(world: World, operator: str) -> Response:
    payload = body()
    if operator == "mtn":
        raise Refusal(501, "MTN has no known wire format for an unsolicited payment", "use a request to pay")
    if payload.get("reference"):
        raise Refusal(501, "an unsolicited Wave payment carries no reference", "leave `reference` out")
    account = _wave_account(world, payload.get("to"))
    payer, amount = phone_number(text_field(payload, "from")), whole_amount(payload.get("amount"))
    at = _moment(payload["at"]) if "at" in payload else None
    if at is not None and at > world.kernel.clock.now():
        raise Refusal(400, "a payment cannot have been made later than now", "send an earlier `at`")
    return jsonify({"transaction": world.wave.pay(account, payer, amount, at)})


def _pay_out(world: World, operator: str) -> Response:
    if operator == "mtn":
        raise Refusal(501, "MTN has no known wire format for a payout's line", "pay out of a Wave wallet")
    payload = body()
    account = _wave_account(world, payload.get("from"))
    phone, amount = phone_number(text_field(payload, "to")), whole_amount(payload.get("amount"))
    return jsonify({"transaction": wave_wallet.pay_out(world.kernel, world.wave, account, phone, amount)})


def _wave_account(world: World, name: object) -> WaveAccount:
    accounts = world.wave.accounts
    if name is None and len(accounts) == 1:
        return next(iter(accounts.values()))
    if not isinstance(name, str) or name not in accounts:
        raise Refusal(404, f"Wave knows no account {name!r}", f"send `to` as one of {', '.join(accounts)}")
    return accounts[name]


def _mtn_statement(world: World, account: str, date: str) -> Response:
    """Returns the day's successful collections as CSV; its first line warns that the layout is assumed."""
    out = io.StringIO()
    out.write(MTN_STATEMENT_NOTE + "\r\n")
    writer = csv.writer(out)
    writer.writerow(MTN_COLUMNS)
    for movement in world.truth.movements("mtn", account, date):
        at = movement["at"].replace("T", " ").removesuffix("Z")
        payer = movement["payer"].removeprefix("+")
        row = (movement["transaction"], movement["external"], at, "SUCCESSFUL", "COLLECTION", payer, account)
        writer.writerow((*row, movement["amount"], movement["currency"]))
    return Response(out.getvalue(), content_type="text/csv; charset=utf-8")
