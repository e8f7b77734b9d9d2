"""What must be true when all is healed: the books, and everything that people were told."""

import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from gateway.cli import true_movements
from mutuelle import clock, crypto, db
from mutuelle.verification import verify
from mutuelle.verification.verify import TrueMovement
from proving.chaos.people import Told
from proving.stage.stage import Stage

LOOK_S = 2.0
PAST_FLIGHT_S = 90  # what is younger than a minute counts as in flight: nothing may hide there
# A poll goes on for as long as a payer may still agree, and a reminder has its hours.
WAITING = text(
    "SELECT (SELECT count(*) FROM outbox WHERE state = 'waiting' AND kind IN ('collect', 'deliver'))"
    " + (SELECT count(*) FROM notices WHERE state = 'new')"
)
RECEIPT = re.compile(r"réf (\w+)")


@dataclass
class Verdict:
    """`broken` is empty when every promise held."""

    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def converge(stage: Stage, within_s: float, meanwhile: Callable[[], None]) -> float:
    """Wait until nothing waits and the books say what really moved; after how many seconds, or `within_s`."""
    began = time.monotonic()
    with looking(stage):
        while (passed := time.monotonic() - began) < within_s and not _arrived(stage):
            meanwhile()
            time.sleep(
                LOOK_S
            )  # between two looks at the condition, which costs the machine that must get there
    return min(passed, within_s)


def _arrived(stage: Stage) -> bool:
    movements = true_movements.read(f"{stage.sandbox_url}/truth")
    with db.transaction(db.Role.AUDITOR) as session:
        return session.scalar(WAITING) == 0 and not verify.run(session, movements).broken


@contextmanager
def looking(stage: Stage) -> Iterator[None]:
    """Our own eyes on the product's database, a little ahead of its time."""
    crypto.use(stage.env["PHONE_KEY"], stage.env["SECRET_KEY"])
    clock.install(clock.Source(shift_s=PAST_FLIGHT_S))
    db.connect(stage.env["DATABASE_URL"])
    try:
        yield
    finally:
        db.disconnect()
        clock.install(clock.Source())


def give(stage: Stage, told: Told) -> Verdict:
    """Look at everything once: with our own eyes, then by the real command."""
    verdict = Verdict()
    movements = true_movements.read(f"{stage.sandbox_url}/truth")
    with looking(stage), db.transaction(db.Role.AUDITOR) as session:
        found = verify.run(session, movements)
        verdict.broken += found.broken
        waiting = session.scalar(WAITING)
        count = {
            name: int(found.totals[name])
            for name in ("households", "payments", "receipts", "notices", "messages")
        }
        kinds = text("SELECT kind, count(*) FROM flags GROUP BY kind ORDER BY kind")
        flags: dict[str, int] = {kind: int(times) for kind, times in session.execute(kinds)}
        verdict.broken += _promises(
            told, lambda query, **values: int(session.scalar(text(query), values) or 0)
        )
    against = found.totals["truth"]
    charged_twice = _twice(movements)
    sms_twice = _sms_twice(stage, told.members)
    verdict.broken += [f"the payer of {ref} was charged twice" for ref in charged_twice]
    verdict.broken += [f"the receipt {ref} was sent twice" for ref in sms_twice]
    verdict.broken += [f"{waiting} tasks or notices still wait"] if waiting else []
    code = _command(stage)
    verdict.broken += [f"mutuelle verify --against ends with {code}"] if code else []
    verdict.figures = {
        **count,
        "movements": against["movements"],
        "matched": against["matched"],
        "lost": against["lost"] + against["different"],
        "doubled": against["invented"] + len(charged_twice),
        "sms_twice": len(sms_twice),
        "strangers": told.strangers,
        "heard": dict(told.heard),
        "flags": flags,
        "verify": "ok" if not found.broken and not code else "broken",
    }
    return verdict


def _promises(told: Told, count: Callable[..., int]) -> Iterator[str]:
    """Whoever was told to be a member is one; whoever was told that a payment is under way has asked for
    one."""
    member = "SELECT count(*) FROM phones WHERE blind_index = :phone"
    asked = "SELECT count(*) FROM payments WHERE payer_index = :phone"
    for phone in sorted(told.members):
        if not count(member, phone=crypto.blind_index(phone)):
            yield f"{phone} was told to be a member and is none"
    for phone, times in sorted(told.askers.items()):
        if count(asked, phone=crypto.blind_index(phone)) < times:
            yield f"{phone} was told {times} times that a payment is under way, and has fewer"


def _twice(movements: Sequence[TrueMovement]) -> list[str]:
    """Requests of ours under which money moved more than once."""
    times = Counter(moved.reference for moved in movements if moved.reference)
    return sorted(ref for ref, count in times.items() if count > 1)


def _sms_twice(stage: Stage, phones: set[str]) -> list[str]:
    """Receipts that came twice to one phone."""
    found = []
    with httpx.Client(timeout=30, trust_env=False) as http:
        for phone in sorted(phones):
            texts = [one["text"] for one in http.get(f"{stage.sandbox_url}/phones/{phone}/sms").json()]
            times = Counter(match[1] for one in texts if (match := RECEIPT.search(one)))
            found += [ref for ref, count in times.items() if count > 1]
    return found


def _command(stage: Stage) -> int:
    """How `mutuelle verify --against` ends."""
    order: list[str | Path] = [
        Path(sys.executable).with_name("mutuelle"),
        "verify",
        "--against",
        f"{stage.sandbox_url}/truth",
        "--json",
    ]
    return subprocess.run(order, env=stage.env, capture_output=True, timeout=300, check=False).returncode
