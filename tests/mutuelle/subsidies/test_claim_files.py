"""The files of a claim and its commands: the hash is that of the CSV, and text is never read as a formula."""

import csv
import hashlib
import json
import re
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pypdf import PdfReader
from sqlalchemy import select

from gateway import claim_documents
from gateway.cli.claims import MESSAGES
from gateway.cli.main import main
from mutuelle import clock, db
from mutuelle.audit import AuditEntry
from mutuelle.households.households import Member
from mutuelle.organisation.logins import Login
from mutuelle.subsidies import claim_drafts, claim_steps
from mutuelle.subsidies.claim_store import Claim
from tests.gateway.cli.world import SETTINGS
from tests.mutuelle.subsidies.world import DECEMBER, ClaimsWorld
from tests.support.templates import Database

RIGGED = '=HYPERLINK("http://x";"Awa, Ba")'


def files(office: ClaimsWorld, claim: Claim) -> dict[str, bytes]:
    with office.console() as session:
        return {kind: claim_documents.write(session, claim, kind) for kind in claim_documents.KINDS}


@pytest.fixture
def claim(office: ClaimsWorld) -> Claim:
    household_id = office.joins()
    with db.transaction(db.Role.APP, office.tenant_id) as session:
        session.get_one(Member, (office.tenant_id, office.members(household_id)[1].id)).name = RIGGED
    office.joins(born=(1970,))
    return office.draft(DECEMBER)


def test_every_file_holds_the_hash_which_is_that_of_the_csv(office: ClaimsWorld, claim: Claim) -> None:
    made = files(office, claim)
    digest = hashlib.sha256(made["csv"]).hexdigest()
    assert digest == claim.lines_hash.hex()
    (page,) = PdfReader(BytesIO(made["pdf"])).pages
    for words in (
        "Demande de subvention SN-TEST/ETAT/2026/001",
        "14 000 FCFA",
        "Cas ordinaire",
        "Decree 1",
        digest,
    ):
        assert words in page.extract_text()
    with zipfile.ZipFile(BytesIO(made["xlsx"])) as book:
        assert digest in book.read("xl/sharedStrings.xml").decode()
    assert files(office, claim) == made


def test_a_name_is_printed_in_its_own_letters(office: ClaimsWorld, claim: Claim) -> None:
    with db.transaction(db.Role.LOGIN) as session:
        session.get_one(Login, (office.tenant_id, office.bakary.id)).name = "Kɔfi Ŋɔŋ Ɓah Ɛyram"
    read = PdfReader(BytesIO(files(office, claim)["pdf"]))
    assert "Kɔfi Ŋɔŋ Ɓah Ɛyram" in read.pages[0].extract_text()


def test_a_name_is_never_a_formula(office: ClaimsWorld, claim: Claim) -> None:
    made = files(office, claim)
    rows = list(csv.DictReader(made["csv"].decode().splitlines()))
    assert "'" + RIGGED in {row["member"] for row in rows}
    with zipfile.ZipFile(BytesIO(made["xlsx"])) as book:
        assert "<f>" not in book.read("xl/worksheets/sheet2.xml").decode()
        assert "=HYPERLINK" in book.read("xl/sharedStrings.xml").decode()


@pytest.fixture
def shell(office: ClaimsWorld, module_database: Database, monkeypatch: pytest.MonkeyPatch):
    """A function that runs a command in a terminal; the office's clock goes on."""
    monkeypatch.setattr(clock, "install", lambda source: None)
    env = {**SETTINGS, "DATABASE_URL": module_database.url}

    def run(*words: str, code: int = 0) -> Result:
        ran = CliRunner().invoke(main, ["claims", *words], env=env, catch_exceptions=False)
        assert ran.exit_code == code, ran.output
        return ran

    return run


def answer_from_a_file(shell, number: str, folder: Path) -> None:
    """Reads the payer's answers from a file twice, the second time accepting the rest, then a wrong file."""
    answers = folder / "answers.csv"
    answers.write_text("line,answer,reason\n1,accepted,\n2,rejected,nom illisible\n", encoding="utf-8")
    assert shell("answer", number, str(answers), "--by", "bakary").stdout == "2 answers\n"
    assert shell("answer", number, str(answers), "--accept-rest", "--by", "bakary").stdout == "1 answers\n"
    answers.write_text("line,answer\n1,perhaps\n", encoding="utf-8")
    assert (
        "row 2: line is a number, answer is accepted or rejected"
        in shell("answer", number, str(answers), "--by", "bakary", code=1).stderr
    )


def exports_in_the_trail() -> list[tuple[str, object]]:
    """Returns who exported a claim and in which kind of file, in order of time."""
    with db.transaction(db.Role.AUDITOR) as session:
        rows = session.execute(
            select(AuditEntry.actor, AuditEntry.facts)
            .where(AuditEntry.action == "claim-exported")
            .order_by(AuditEntry.at)
        ).all()
    return [(actor, facts) for actor, facts in rows]


def test_the_whole_story_from_a_terminal(office: ClaimsWorld, shell, tmp_path: Path) -> None:
    office.joins()
    office.joins(named=False)
    office.on("2026-12-31")
    days = ("--from", "2026-12-01", "--until", "2026-12-31")
    draft = ("draft", "--mutuelle", "SN-TEST", "--payer", "state", *days, "--json")
    assert "--until is not over: name yesterday" in shell(*draft, "--by", "bakary", code=1).stderr
    office.on("2027-01-01")
    drafted = json.loads(shell(*draft, "--by", "bakary").stdout)
    number = drafted["number"]
    assert (number, drafted["total"], drafted["left_out"]) == (
        "SN-TEST/ETAT/2026/001",
        10_500,
        {"provisional": 10_500},
    )
    assert "not of the mutuelle" in shell(*draft, "--by", "coumba", code=1).stderr
    assert "nobody has this login" in shell("check", number, "--by", "nobody", code=1).stderr
    assert "claim.four-eyes" in shell("check", number, "--by", "bakary", code=1).stderr
    assert "no claim has this number" in shell("check", number, "--by", "coumba", code=1).stderr
    shell("check", number, "--by", "ndeye")
    shell("send", number, "--by", "bakary")
    assert "claim.moved" in shell("cancel", number, "--by", "bakary", code=1).stderr
    answer_from_a_file(shell, number, tmp_path)
    shell("pay", number, "--amount", "7000", "--reference", "VIR 77", "--by", "ndeye")
    shown = json.loads(shell("show", number, "--json").stdout)
    expected = {
        "state": "paid",
        "accepted": 7_000,
        "rejected": 3_500,
        "unanswered": 0,
        "paid": 7_000,
        "rest": 0,
    }
    assert shown.items() >= expected.items()
    assert [row["number"] for row in json.loads(shell("list", "--mutuelle", "SN-TEST", "--json").stdout)] == [
        number
    ]
    assert "Missing option '--by'" in shell("export", number, "--format", "csv", code=2).stderr
    assert (
        "no claim has this number"
        in shell("export", number, "--format", "csv", "--by", "coumba", code=1).stderr
    )
    shell("export", number, "--format", "csv", "--by", "ndeye", "--to", str(tmp_path / "claim.csv"))
    assert hashlib.sha256((tmp_path / "claim.csv").read_bytes()).hexdigest() == shown["hash"]
    assert (
        shell("export", number, "--format", "csv", "--by", "bakary").stdout_bytes
        == (tmp_path / "claim.csv").read_bytes()
    )
    assert exports_in_the_trail() == [
        (office.ndeye.actor, {"kind": "csv"}),
        (office.bakary.actor, {"kind": "csv"}),
    ]
    assert json.loads(shell("verify", number, "--json").stdout) == {
        "number": number,
        "ok": True,
        "differences": [],
        "since": [],
    }
    office.books_hold()


def test_verify_of_a_claim_exits_with_1_when_the_books_differ(
    office: ClaimsWorld, shell, module_database: Database
) -> None:
    office.joins()
    claim = office.draft(DECEMBER)
    with module_database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE bill_lines SET amount = amount + 3 WHERE payer = 'state'")
    ran = shell("verify", claim.number, code=1)
    assert "DIFFERENT line 1: amount is not what it was" in ran.stderr


def test_every_refusal_is_reported_in_words_at_the_terminal() -> None:
    code = "".join(
        Path(module.__file__).read_text(encoding="utf-8") for module in (claim_drafts, claim_steps)
    )
    refusals = set(re.findall(r'Refused\("(claim\.[a-z-]+)"', code))
    assert refusals - {"claim.payer"} == set(MESSAGES)  # which payers there are, the command knows
