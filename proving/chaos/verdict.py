"""Checks after the repair that the books are correct and that every promise of a screen was kept."""

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
from mutuelle.verification.true_movements import TrueMovement
from proving.chaos.people import ShownResults
from proving.stage.stage import Stage

LOOK_S = 2.0
PAST_FLIGHT_S = 90  # verify ignores what is younger than a minute: nothing may be missed for that
# A poll goes on for as long as a payer may still agree, and a reminder has its hours.
WAITING = text(
    "SELECT (SELECT count(*) FROM outbox WHERE state = 'waiting' AND kind IN ('collect', 'deliver'))"
    " + (SELECT count(*) FROM notices WHERE state = 'new')"
)
RECEIPT = re.compile(r"réf (\w+)")


@dataclass
class Verdict:
    """`broken` is empty when every promise held."""

    counts: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def converge(stage: Stage, within_s: float, meanwhile: Callable[[], None]) -> float:
    """Waits until nothing waits and books agree with movements. Returns the seconds, at most `within_s`."""
    began = time.monotonic()
    with product_database(stage):
        while (passed := time.monotonic() - began) < within_s and not _has_converged(stage):
            meanwhile()
            time.sleep(LOOK_S)  # between two checks, which cost time on the same machine
    return min(passed, within_s)


def _has_converged(stage: Stage) -> bool:
    movements = true_movements.read(f"{stage.sandbox_url}/truth")
    with db.transaction(db.Role.AUDITOR) as session:
        return session.scalar(WAITING) == 0 and not verify.run(session, movements).broken


@contextmanager
def product_database(stage: Stage) -> Iterator[None]:
    """Connects to the product's database, with a clock a little ahead."""
    crypto.use(stage.env["PHONE_KEY"], stage.env["SECRET_KEY"])
    clock.install(clock.Source(shift_s=PAST_FLIGHT_S))
    db.connect(stage.env["DATABASE_URL"])
    try:
        yield
    finally:
        db.disconnect()
        clock.install(clock.Source())


def judge(stage: Stage, shown: ShownResults) -> Verdict:
    """Checks everything once: by our own queries, then by the real command."""
    verdict = Verdict()
    movements = true_movements.read(f"{stage.sandbox_url}/truth")
    with product_database(stage), db.transaction(db.Role.AUDITOR) as session:
        report = verify.run(session, movements)
        verdict.broken += report.broken
        waiting = session.scalar(WAITING)
        count = {
            name: int(report.totals[name])
            for name in ("households", "payments", "receipts", "notices", "messages")
        }
        kinds = text("SELECT kind, count(*) FROM flags GROUP BY kind ORDER BY kind")
        flags: dict[str, int] = {kind: int(times) for kind, times in session.execute(kinds)}
        verdict.broken += _broken_promises(
            shown, lambda query, **values: int(session.scalar(text(query), values) or 0)
        )
    truth = report.totals["truth"]
    charged_twice = _charged_twice(movements)
    sms_twice = _sms_twice(stage, shown.members)
    verdict.broken += [f"the payer of {ref} was charged twice" for ref in charged_twice]
    verdict.broken += [f"the receipt {ref} was sent twice" for ref in sms_twice]
    verdict.broken += [f"{waiting} tasks or notices still wait"] if waiting else []
    exit_code = _command(stage)
    verdict.broken += [f"mutuelle verify --against ends with {exit_code}"] if exit_code else []
    verdict.counts = {
        **count,
        "movements": truth["movements"],
        "matched": truth["matched"],
        "lost": truth["lost"] + truth["different"],
        "doubled": truth["invented"] + len(charged_twice),
        "sms_twice": len(sms_twice),
        "strangers": shown.strangers,
        "heard": dict(shown.screens),
        "flags": flags,
        "verify": "ok" if not report.broken and not exit_code else "broken",
    }
    return verdict


def _broken_promises(shown: ShownResults, count: Callable[..., int]) -> Iterator[str]:
    """Yields phones whose screen promised membership or a payment under way that the books do not hold."""
    phones = "SELECT count(*) FROM phones WHERE blind_index = :phone"
    requests = "SELECT count(*) FROM payments WHERE payer_index = :phone"
    for phone in sorted(shown.members):
        if not count(phones, phone=crypto.blind_index(phone)):
            yield f"{phone} was told to be a member and is none"
    for phone, times in sorted(shown.payment_requests.items()):
        if count(requests, phone=crypto.blind_index(phone)) < times:
            yield f"{phone} was told {times} times that a payment is under way, and has fewer"


def _charged_twice(movements: Sequence[TrueMovement]) -> list[str]:
    """Returns our requests under which money moved more than once."""
    times = Counter(moved.reference for moved in movements if moved.reference)
    return sorted(ref for ref, count in times.items() if count > 1)


def _sms_twice(stage: Stage, phones: set[str]) -> list[str]:
    """Returns receipts that came twice to one phone."""
    references = []
    with httpx.Client(timeout=30, trust_env=False) as http:
        for phone in sorted(phones):
            texts = [
                message["text"] for message in http.get(f"{stage.sandbox_url}/phones/{phone}/sms").json()
            ]
            times = Counter(match[1] for content in texts if (match := RECEIPT.search(content)))
            references += [ref for ref, count in times.items() if count > 1]
    return references


def _command(stage: Stage) -> int:
    """Returns the exit code of `mutuelle verify --against`."""
    order: list[str | Path] = [
        Path(sys.executable).with_name("mutuelle"),
        "verify",
        "--against",
        f"{stage.sandbox_url}/truth",
        "--json",
    ]
    return subprocess.run(order, env=stage.env, capture_output=True, timeout=300, check=False).returncode
