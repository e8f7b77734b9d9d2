"""The figures: turns, callbacks, credits; each against its baseline in the same run, medians of interleaved
repeats."""

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
from proving.bench.setup import Place

JOIN = ("3", "1", "1", "2", "1", "859015", "1")
PAY = ("2", "1", "1")
COVER = ("1",)
PATIENCE_S = 300.0


@dataclass(frozen=True)
class Figure:
    """One line of bench.json. `ratio` is `value` over `baseline`; `goal` is for the ratio if there is one,
    else the value."""

    name: str
    value: float
    unit: str
    baseline: float | None
    ratio: float | None
    goal: float | None
    lower_is_better: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            name: round(told, 3) if isinstance(told, float) else told for name, told in asdict(self).items()
        }


def turns(place: Place, sessions: int, repeats: int) -> list[Figure]:
    """USSD turns per second: joins, payments and looks at the cover in equal parts, against one Redis GET and
    SET."""
    place.stage.start("web", "bare")
    ours, bare = [], []
    for _ in range(repeats):
        scripts = _dialogues(place, sessions)
        turns_in_all = sum(map(len, scripts))
        bare.append(load.run(place.bare_port, _bare_turns(turns_in_all // 8), check=lambda *_: True))
        households, payments = _acted(place)
        ours.append(_clean(load.run(place.stage.web_port, scripts, check=_screen)))
        done = [now - before for now, before in zip(_acted(place), (households, payments), strict=True)]
        if done != [sessions, sessions]:
            raise RuntimeError(f"{sessions} joins and payments were dialled, the database has {done}")
    return [
        _against("ussd-turns", ours, bare, 0.3),
        Figure("ussd-turns-p99", statistics.median(run.p99_ms for run in ours), "ms", None, None, 2000, True),
    ]


def _acted(place: Place) -> tuple[int, int]:
    return place.count("SELECT count(*) FROM households WHERE channel = 'ussd'"), place.count(
        "SELECT count(*) FROM payments"
    )


def _dialogues(place: Place, sessions: int) -> list[load.Script]:
    """Whole sessions in the wire format, the three kinds one after the other."""
    joining, paying, looking = place.phones(sessions), place.enrolled(sessions), place.enrolled(sessions)
    scripts = []
    for join, (pay, _), (look, _) in zip(joining, paying, looking, strict=True):
        scripts += [_session(place, join, JOIN), _session(place, pay, PAY), _session(place, look, COVER)]
    return scripts


def _session(place: Place, phone: str, typed: tuple[str, ...]) -> load.Script:
    session = f"ATUid_{uuid.uuid4().hex}"
    texts = ["*".join(typed[:count]) for count in range(len(typed) + 1)]
    return [load.post(place.ussd_path, _form(session, phone, text)) for text in texts]


def _form(session: str, phone: str, text: str) -> bytes:
    who = f"sessionId={session}&phoneNumber={quote(phone, safe='')}&networkCode=99999"
    return f"{who}&serviceCode={quote('*384*55#', safe='')}&text={quote(text, safe='')}".encode()


def _bare_turns(scripts: int) -> list[load.Script]:
    return [[load.post("/turn", _form(f"bare{n}", "+221770000000", "1*2*3"))] * 8 for n in range(scripts)]


def _screen(place: int, length: int, body: bytes) -> bool:
    """Every screen but the last asks; a join and a payment end, a look at an unpaid cover offers to pay."""
    return body.startswith(b"END " if place == length - 1 and length > len(COVER) + 1 else b"CON ")


def callbacks(place: Place, requests: int, repeats: int) -> list[Figure]:
    """Signed callbacks kept and acknowledged per second, against one committed INSERT."""
    place.stage.start("web", "bare")
    account = place.stage.seeded["sandbox"]["wave"][0]
    path = account["callback"].removeprefix(place.stage.web_url)
    ours, bare = [], []
    for _ in range(repeats):
        bodies = [_event(uuid.uuid4()) for _ in range(requests)]
        bare.append(
            load.run(place.bare_port, [[load.post("/callback", body, "application/json")] for body in bodies])
        )
        signed = [
            [load.post(path, body, "application/json", _signature(account["signing_secret"], body))]
            for body in bodies
        ]
        before = place.count("SELECT count(*) FROM notices WHERE authentic")
        ours.append(_clean(load.run(place.stage.web_port, signed)))
        kept = place.count("SELECT count(*) FROM notices WHERE authentic") - before
        if kept != requests:
            raise RuntimeError(f"{requests} callbacks were acknowledged, {kept} are in the inbox")
    return [
        _against("callbacks", ours, bare, 0.4),
        Figure("callbacks-p99", statistics.median(run.p99_ms for run in ours), "ms", None, None, None, True),
    ]


def _event(ref: uuid.UUID) -> bytes:
    told = {
        "id": f"EV_{uuid.uuid4().hex[:12]}",
        "type": "checkout.session.completed",
        "data": {"id": "cos-1", "amount": "1000", "currency": "XOF", "client_reference": str(ref)},
    }
    return json.dumps(told).encode()


def _signature(secret: str, body: bytes) -> str:
    stamp = str(int(time.time()))
    mark = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).hexdigest()
    return f"Wave-Signature: t={stamp},v1={mark}\r\n"


def credits(place: Place, count: int, repeats: int) -> list[Figure]:
    """Payments credited per second with two worker processes: from the operator's callbacks to the receipts'
    SMS in the outbox.

    Every callback is signed, sent over HTTP and kept; the workers ask the operator over HTTP about each, and
    settle. The baseline is one committed INSERT with nothing around it; the p99 is from a callback kept to
    its receipt recorded.
    """
    place.stage.start("operator", "web", "worker-money", "worker-money-2", "scheduler")
    ours, bare, late = [], [], []
    for _ in range(repeats):
        refs = _under_way(place, count)
        bare.append(place.bare_inserts_per_s(count * 5))
        yes = json.dumps([str(ref) for ref in refs]).encode()
        load.run(place.operator_port, [[load.post("/v1/approve", yes)]], connections=1)
        ours.append(count / _credited(place, refs))
        late.append(place.count(LATE, refs=refs))
        if place.count(TOLD, refs=refs) != count or (broken := place.broken()):
            raise RuntimeError(
                f"{count} payments were credited, {place.count(TOLD, refs=refs)} were told; broken: {broken}"
            )
    ratio = statistics.median(our / their for our, their in zip(ours, bare, strict=True))
    return [
        Figure("credits", statistics.median(ours), "payments/s", statistics.median(bare), ratio, None),
        Figure("credits-goal", statistics.median(ours), "payments/s", None, None, 70),
        Figure("credits-p99", statistics.median(late), "ms", None, None, None, True),
    ]


LATE = """
SELECT percentile_disc(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM r.recorded_at - n.received_at) * 1000)
FROM receipts r JOIN notices n ON n.named_ref = ANY(:refs) AND r.reference = n.named_ref::text
"""
PENDING = "SELECT count(*) FROM payments WHERE status = 'pending' AND ref = ANY(:refs)"
CREDITED = "SELECT count(*) FROM receipts WHERE reference = ANY(SELECT ref::text FROM unnest(:refs) ref)"
TOLD = """
SELECT count(*) FROM messages m JOIN payments p ON p.household_tenant_id = m.tenant_id AND p.household_id =
m.household_id WHERE m.kind = 'receipt' AND p.ref = ANY(:refs)
"""


def _under_way(place: Place, count: int) -> list[uuid.UUID]:
    """`count` more requests the operator waits for its payers with; all that was left to do before is
    done."""
    refs = place.asked(count, 1_000)
    _until(
        lambda: (
            place.count(PENDING, refs=refs) == count
            and not place.count("SELECT count(*) FROM notices WHERE state = 'new'")
        )
    )
    return refs


def _credited(place: Place, refs: list[uuid.UUID]) -> float:
    """Seconds until each of them was called back, asked about and credited."""
    account = place.stage.seeded["sandbox"]["wave"][0]
    path = account["callback"].removeprefix(place.stage.web_url)
    bodies = [_event(ref) for ref in refs]
    signed = [
        [load.post(path, body, "application/json", _signature(account["signing_secret"], body))]
        for body in bodies
    ]
    began = time.monotonic()
    _clean(load.run(place.stage.web_port, signed, connections=4))
    _until(lambda: place.count(CREDITED, refs=refs) == len(refs))
    return time.monotonic() - began


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("the workers did not get there")
        time.sleep(0.05)  # between two looks at the condition


def _clean(run: load.Measured) -> load.Measured:
    if run.wrong:
        raise RuntimeError(f"{run.wrong} answers were wrong, such as {run.example[:120]!r}")
    return run


def _against(name: str, ours: list[load.Measured], bare: list[load.Measured], goal: float) -> Figure:
    """The median run, and the median of the ratios of neighbours."""
    ratio = statistics.median(
        our.per_second / their.per_second for our, their in zip(ours, bare, strict=True)
    )
    value, baseline = (statistics.median(run.per_second for run in runs) for runs in (ours, bare))
    return Figure(name, value, "requests/s", baseline, ratio, goal)
