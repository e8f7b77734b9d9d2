"""Measures the console's pages with few and with many households: a page must not read all bills ever."""

import re
import statistics
import time
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import httpx
from sqlalchemy import select, text

from mutuelle import clock, db
from mutuelle.money import Money
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments import settlement
from mutuelle.payments.operators import Movement
from mutuelle.payments.receipts import ReceiptDoor
from proving.bench import people
from proving.bench.measurements import Measurement
from proving.bench.setup import BenchSetup

PAGES = {
    "today": "/console/",
    "suspense": "/console/a-rapprocher",
    "refunds": "/console/remboursements",
    "outflows": "/console/remboursements/sorties",
    "categories": "/console/categories",
    "duplicates": "/console/doublons",
    "claims": "/console/subventions",
    "appeals": "/console/reclamations",
    "sponsors": "/console/parrains",
    "household": "/console/menage/{household}",
    "receipt": "/console/a-rapprocher/{receipt}",
    "indicators": "/console/indicateurs",
    "metrics": "/metrics",
}
FORM_TOKEN = re.compile(r'name="jeton" value="([^"]+)"')
REPEATS = 5
GOAL_MS = 300  # of the page of suspense
RECEIPTS = 60  # in suspense: of sums that one household owes, that many owe, and that none owes
SUMS = (people.MEMBER, people.MEMBER + people.FEE, 2_350)


def fill_suspense(setup: BenchSetup) -> None:
    """Records `RECEIPTS` receipts of strangers."""
    senegal = setup.senegal()
    with db.transaction(db.Role.LOGIN) as session:
        query = select(OperatorAccount).where(OperatorAccount.tenant_id == senegal.id)
        account = session.scalars(query.order_by(OperatorAccount.created_at)).one()
    for number in range(RECEIPTS):
        movement = Movement(
            f"stray-{number}",
            Money(SUMS[number % len(SUMS)], senegal.currency),
            clock.now() - timedelta(minutes=number),
            payer=f"+22176{number:07d}",
        )
        with db.transaction(db.Role.WORKER, senegal.id) as session:
            settlement.credit(session, account, movement, ReceiptDoor.LIST)


def seconds(setup: BenchSetup) -> dict[str, float]:
    """Returns the median seconds of each page for a manager of Senegal."""
    setup.stage.start("web")
    console = setup.stage.seeded["endpoints"]["console"]
    household = _an_id(setup, "SELECT id FROM households WHERE tenant_id = :tenant ORDER BY id LIMIT 1")
    receipt = _an_id(setup, "SELECT id FROM receipts WHERE tenant_id = :tenant AND transaction = 'stray-0'")
    with httpx.Client(base_url=setup.stage.web_url, timeout=60) as client:
        (token,) = FORM_TOKEN.findall(client.get("/console/entrer").text)
        form = {"login": console["login"], "secret": console["password"], "jeton": token}
        client.post("/console/entrer", data=form, follow_redirects=True).raise_for_status()
        return {
            name: _median(client, path.format(household=household, receipt=receipt))
            for name, path in PAGES.items()
        }


def compare(few: Mapping[str, float], many: Mapping[str, float]) -> list[Measurement]:
    """Returns a row for each page, in ms, against the same page with few households."""
    rows = [
        Measurement(
            f"page-{name}", many[name] * 1000, "ms", few[name] * 1000, many[name] / few[name], None, True
        )
        for name in PAGES
    ]
    goal = Measurement("page-suspense-goal", many["suspense"] * 1000, "ms", None, None, GOAL_MS, True)
    return [*rows, goal]


def _an_id(setup: BenchSetup, query: str) -> UUID:
    tenant_id = setup.senegal().id
    with db.transaction(db.Role.AUDITOR) as session:
        return UUID(str(session.scalars(text(query), {"tenant": tenant_id}).one()))


def _median(client: httpx.Client, path: str) -> float:
    times = []
    for _ in range(REPEATS):
        began = time.monotonic()
        response = client.get(path)
        times.append(time.monotonic() - began)
        if response.status_code != 200 or response.history:
            raise RuntimeError(f"{path}: HTTP {response.status_code}")
    return statistics.median(times)
