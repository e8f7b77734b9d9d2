"""Starts the product and the bare baseline on one stage, under the same server with the same settings."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from mutuelle import crypto, db
from mutuelle.enrolment import enrolment
from mutuelle.organisation import tenants
from mutuelle.payments import payments
from mutuelle.verification import verify
from proving.bench import table
from proving.demo import demo
from proving.stage.programs import free_port
from proving.stage.stage import PROGRAMS, Program, Stage

BARE = (
    "{{python}} -m granian --interface wsgi proving.bench.bare:app --host 127.0.0.1 --port {port}"
    " --workers 2 --blocking-threads {{web_threads}} --respawn-failed-workers"
)
OPERATOR = "{{python}} -m proving.bench.operator {port}"
SETTLED = 1000  # households enrolled before, because no real database is empty


@dataclass
class BenchSetup:
    """A stage with the demo, our connection to its database, and unused phone numbers."""

    stage: Stage
    bare_port: int
    operator_port: int
    used: int = 0

    @property
    def ussd_path(self) -> str:
        return str(self.stage.seeded["endpoints"]["ussd"]["africastalking"]["url"]).removeprefix(
            self.stage.web_url
        )

    def phones(self, count: int) -> list[str]:
        """Returns `count` unused Senegalese numbers."""
        first, self.used = self.used, self.used + count
        return [f"+22177{number:07d}" for number in range(first, first + count)]

    def senegal(self) -> tenants.Tenant:
        with db.transaction(db.Role.LOGIN) as session:
            tenant = tenants.by_code(session, demo.PLACES[0].code)
        if tenant is None:
            raise LookupError("the demo has no Senegal")
        return tenant

    def enrolled(self, count: int) -> list[tuple[str, UUID]]:
        """Enrols `count` households. Returns their phones and ids."""
        tenant_id = self.senegal().id
        households = []
        for phone in self.phones(count):
            try:
                households.append((phone, _enrol(tenant_id, phone)))
            except IntegrityError:  # a duplicate member number, once in some hundred thousand: try again
                households.append((phone, _enrol(tenant_id, phone)))
        # As autovacuum does some minutes later.
        self.stage.postgres.execute(sql.SQL("ANALYZE"), database="mutuelle")
        return households

    def request_payments(self, count: int, amount: int) -> list[UUID]:
        """Makes `count` payment requests by new households, not yet sent. Returns our references."""
        tenant_id, refs = self.senegal().id, []
        for phone, household in self.enrolled(count):
            with db.transaction(db.Role.APP, tenant_id) as session:
                payment = payments.request(
                    session,
                    tenant_id,
                    household,
                    amount=amount,
                    operator="wave",
                    payer=phone,
                    effect_key=f"bench:{household}",
                )
            refs.append(payment.ref)
        return refs

    def bare_inserts_per_s(self, count: int, connections: int = 8) -> float:
        """Returns committed INSERTs of one row per second."""
        waiting = iter(range(count))
        url = self.stage.postgres.url("bare")

        def insert() -> None:
            with psycopg.connect(url, autocommit=True) as own:
                for _ in waiting:
                    own.execute(table.INSERT, (b"x" * 200,))

        with psycopg.connect(url, autocommit=True) as own:
            own.execute(f"CREATE TABLE IF NOT EXISTS {table.TABLE}")
        began = time.monotonic()
        with ThreadPoolExecutor(connections) as threads:
            for done in [threads.submit(insert) for _ in range(connections)]:
                done.result()
        return count / (time.monotonic() - began)

    def broken(self) -> list[str]:
        """Returns what `mutuelle verify` finds wrong with the books."""
        with db.transaction(db.Role.AUDITOR, within_s=600) as session:
            return list(verify.run(session, None).as_json()["broken"])

    def count(self, query: str, **values: Any) -> int:
        """Returns one number, read as an auditor."""
        with db.transaction(db.Role.AUDITOR) as session:
            return int(session.scalar(text(query), values) or 0)


def _enrol(tenant_id: UUID, phone: str) -> UUID:
    with db.transaction(db.Role.APP, tenant_id) as session:
        return enrolment.enrol(
            session,
            tenant_id,
            enrolment.NewHousehold(
                phone=phone,
                language="fr",
                category="general",
                adults=2,
                birth_years=[1985, 1990, 2015],
                consent="bench",
                channel="bench",
                sms=False,
            ),
        ).id


@contextmanager
def start_bench(state_dir: Path) -> Iterator[BenchSetup]:
    """Starts a new stage with PostgreSQL, Redis and the demo, and adds the programs of the baselines."""
    port, operator_port = free_port(), free_port()
    operator_url = f"http://127.0.0.1:{operator_port}"
    programs = {
        "bare": Program(BARE.format(port=port), f"http://127.0.0.1:{port}/"),
        "operator": Program(OPERATOR.format(port=operator_port), f"{operator_url}/v1/transactions"),
        "worker-money-2": PROGRAMS["worker-money"],
    }
    with Stage(
        state_dir, programs={**PROGRAMS, **programs}, settings={"WAVE_BASE_URL": operator_url}
    ) as stage:
        stage.seed(demo.seed)
        stage.postgres.create_database("bare")  # verify would miss row-level security on the bare table
        stage.give("bare", {"DATABASE_URL": stage.postgres.url("bare")})
        crypto.use(stage.env["PHONE_KEY"], stage.env["SECRET_KEY"])
        db.connect(stage.env["DATABASE_URL"])
        setup = BenchSetup(stage, port, operator_port)
        setup.enrolled(SETTLED)
        yield setup
        db.disconnect()
