"""Measures turns, callbacks and credits against their baselines, as medians of interleaved repeats."""

import hashlib
import hmac
import json
import statistics
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from proving.bench import load
from proving.bench.setup import BenchSetup

JOIN = ("3", "1", "1", "2", "1", "859015", "1")
PAY = ("2", "1", "1")
COVER = ("1",)
CREDITED_WITHIN_S = 300.0


@dataclass(frozen=True)
class Measurement:
    """One row of bench.json. `ratio` is `value` over `baseline`; `goal` is for it, or else for the value."""

    name: str
    value: float
    unit: str
    baseline: float | None
    ratio: float | None
    goal: float | None
    lower_is_better: bool = False

    def as_json(self) -> dict[str, Any]:
        values = asdict(self).items()
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in values}


def turns(setup: BenchSetup, sessions: int, repeats: int) -> list[Measurement]:
    """Measures USSD turns per second (joins, payments, cover) against one Redis GET and SET."""
    setup.stage.start("web", "bare")
    ours, bare = [], []
    for _ in range(repeats):
        scripts = _dialogues(setup, sessions)
        turns_in_all = sum(map(len, scripts))
        bare.append(load.run(setup.bare_port, _bare_turns(turns_in_all // 8), check=lambda *_: True))
        households, payments = _household_and_payment_counts(setup)
        ours.append(_require_clean(load.run(setup.stage.web_port, scripts, check=_screen)))
        changes = [
            now - before
            for now, before in zip(_household_and_payment_counts(setup), (households, payments), strict=True)
        ]
        if changes != [sessions, sessions]:
            raise RuntimeError(f"{sessions} joins and payments were dialled, the database has {changes}")
    return [
        _against("ussd-turns", ours, bare, 0.3),
        Measurement(
            "ussd-turns-p99", statistics.median(run.p99_ms for run in ours), "ms", None, None, 2000, True
        ),
    ]


def _household_and_payment_counts(setup: BenchSetup) -> tuple[int, int]:
    return setup.count("SELECT count(*) FROM households WHERE channel = 'ussd'"), setup.count(
        "SELECT count(*) FROM payments"
    )


def _dialogues(setup: BenchSetup, sessions: int) -> list[load.Script]:
    """Returns whole sessions in the wire format, the three kinds in turn."""
    joining, paying, looking = setup.phones(sessions), setup.enrolled(sessions), setup.enrolled(sessions)
    scripts = []
    for join, (pay, _), (look, _) in zip(joining, paying, looking, strict=True):
        scripts += [_session(setup, join, JOIN), _session(setup, pay, PAY), _session(setup, look, COVER)]
    return scripts


def _session(setup: BenchSetup, phone: str, typed: tuple[str, ...]) -> load.Script:
    session = f"ATUid_{uuid.uuid4().hex}"
    texts = ["*".join(typed[:count]) for count in range(len(typed) + 1)]
    return [load.post(setup.ussd_path, _form(session, phone, text)) for text in texts]


def _form(session: str, phone: str, text: str) -> bytes:
    sender = f"sessionId={session}&phoneNumber={quote(phone, safe='')}&networkCode=99999"
    return f"{sender}&serviceCode={quote('*384*55#', safe='')}&text={quote(text, safe='')}".encode()


def _bare_turns(scripts: int) -> list[load.Script]:
    return [[load.post("/turn", _form(f"bare{n}", "+221770000000", "1*2*3"))] * 8 for n in range(scripts)]


def _screen(place: int, length: int, body: bytes) -> bool:
    """Checks a screen: only the last one of a join or payment ends the session; cover offers to pay."""
    return body.startswith(b"END " if place == length - 1 and length > len(COVER) + 1 else b"CON ")


def callbacks(setup: BenchSetup, requests: int, repeats: int) -> list[Measurement]:
    """Measures signed callbacks stored and acknowledged per second, against one committed INSERT."""
    setup.stage.start("web", "bare")
    account = setup.stage.seeded["sandbox"]["wave"][0]
    path = account["callback"].removeprefix(setup.stage.web_url)
    ours, bare = [], []
    for _ in range(repeats):
        bodies = [_event(uuid.uuid4()) for _ in range(requests)]
        bare.append(
            load.run(setup.bare_port, [[load.post("/callback", body, "application/json")] for body in bodies])
        )
        signed = [
            [load.post(path, body, "application/json", _signature(account["signing_secret"], body))]
            for body in bodies
        ]
        before = setup.count("SELECT count(*) FROM notices WHERE authentic")
        ours.append(_require_clean(load.run(setup.stage.web_port, signed)))
        stored = setup.count("SELECT count(*) FROM notices WHERE authentic") - before
        if stored != requests:
            raise RuntimeError(f"{requests} callbacks were acknowledged, {stored} are in the inbox")
    return [
        _against("callbacks", ours, bare, 0.4),
        Measurement(
            "callbacks-p99", statistics.median(run.p99_ms for run in ours), "ms", None, None, None, True
        ),
    ]


def _event(ref: uuid.UUID) -> bytes:
    event = {
        "id": f"EV_{uuid.uuid4().hex[:12]}",
        "type": "checkout.session.completed",
        "data": {"id": "cos-1", "amount": "1000", "currency": "XOF", "client_reference": str(ref)},
    }
    return json.dumps(event).encode()


def _signature(secret: str, body: bytes) -> str:
    stamp = str(int(time.time()))
    mark = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).hexdigest()
    return f"Wave-Signature: t={stamp},v1={mark}\r\n"


def credits(setup: BenchSetup, count: int, repeats: int) -> list[Measurement]:
    """Measures payments per second from callback to receipt SMS in the outbox, with two worker processes.

    Every callback is signed, sent over HTTP and stored; the workers query the operator over HTTP about each,
    and settle it. The baseline is one committed INSERT; the p99 is the time from stored callback to receipt.
    """
    setup.stage.start("operator", "web", "worker-money", "worker-money-2", "scheduler")
    ours, bare, late = [], [], []
    for _ in range(repeats):
        refs = _pending_requests(setup, count)
        bare.append(setup.bare_inserts_per_s(count * 5))
        approvals = json.dumps([str(ref) for ref in refs]).encode()
        load.run(setup.operator_port, [[load.post("/v1/approve", approvals)]], connections=1)
        ours.append(count / _credit_seconds(setup, refs))
        late.append(setup.count(LATE, refs=refs))
        notified, broken = setup.count(RECEIPT_SMS, refs=refs), setup.broken()
        if notified != count or broken:
            raise RuntimeError(f"{count} payments were credited, {notified} were told; broken: {broken}")
    ratio = statistics.median(our / their for our, their in zip(ours, bare, strict=True))
    return [
        Measurement("credits", statistics.median(ours), "payments/s", statistics.median(bare), ratio, None),
        Measurement("credits-goal", statistics.median(ours), "payments/s", None, None, 70),
        Measurement("credits-p99", statistics.median(late), "ms", None, None, None, True),
    ]


LATE = """
SELECT percentile_disc(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM r.recorded_at - n.received_at) * 1000)
FROM receipts r JOIN notices n ON n.named_ref = ANY(:refs) AND r.reference = n.named_ref::text
"""
PENDING = "SELECT count(*) FROM payments WHERE status = 'pending' AND ref = ANY(:refs)"
CREDITED = "SELECT count(*) FROM receipts WHERE reference = ANY(SELECT ref::text FROM unnest(:refs) ref)"
RECEIPT_SMS = """
SELECT count(*) FROM messages m JOIN payments p ON p.household_tenant_id = m.tenant_id AND p.household_id =
m.household_id WHERE m.kind = 'receipt' AND p.ref = ANY(:refs)
"""


def _pending_requests(setup: BenchSetup, count: int) -> list[uuid.UUID]:
    """Makes `count` requests that are pending at the operator, and waits until older work is done."""
    refs = setup.request_payments(count, 1_000)
    _until(
        lambda: (
            setup.count(PENDING, refs=refs) == count
            and not setup.count("SELECT count(*) FROM notices WHERE state = 'new'")
        )
    )
    return refs


def _credit_seconds(setup: BenchSetup, refs: list[uuid.UUID]) -> float:
    """Returns the seconds from the first callback until all payments are credited."""
    account = setup.stage.seeded["sandbox"]["wave"][0]
    path = account["callback"].removeprefix(setup.stage.web_url)
    bodies = [_event(ref) for ref in refs]
    signed = [
        [load.post(path, body, "application/json", _signature(account["signing_secret"], body))]
        for body in bodies
    ]
    began = time.monotonic()
    _require_clean(load.run(setup.stage.web_port, signed, connections=4))
    _until(lambda: setup.count(CREDITED, refs=refs) == len(refs))
    return time.monotonic() - began


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + CREDITED_WITHIN_S
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("the workers did not get there")
        time.sleep(0.05)  # between two checks


def _require_clean(run: load.LoadRun) -> load.LoadRun:
    if run.wrong:
        raise RuntimeError(f"{run.wrong} answers were wrong, such as {run.example[:120]!r}")
    return run


def _against(name: str, ours: list[load.LoadRun], bare: list[load.LoadRun], goal: float) -> Measurement:
    """Returns the median run and the median of the ratios of neighbouring runs."""
    ratio = statistics.median(
        our.per_second / their.per_second for our, their in zip(ours, bare, strict=True)
    )
    value, baseline = (statistics.median(run.per_second for run in runs) for runs in (ours, bare))
    return Measurement(name, value, "requests/s", baseline, ratio, goal)
