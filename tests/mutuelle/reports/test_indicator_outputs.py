"""Tests of the indicators on the command line and on the public page: same values, no personal data."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from config.settings import Settings
from gateway.app import create_app
from gateway.cli.main import main
from gateway.console import open_figures
from mutuelle import clock, db
from mutuelle.reports.indicator_list import INDICATORS
from tests.gateway.conftest import Stranger
from tests.mutuelle.reports.world import PHONES, STRANGER, ReportsWorld, at

KEYS = {"secret_key": "s" * 32, "phone_key": "p" * 32, "at_username": "sandbox", "at_api_key": "key"}
ROOT = Path(__file__).parents[3]


@pytest.fixture
def targets(tmp_path: Path) -> str:
    file = tmp_path / "targets.toml"
    file.write_text('[[target_population.SN-TEST]]\nfrom = 2026-01-01\npeople = 40\nsource = "a count"\n')
    return str(file)


@pytest.fixture
def client(settled: ReportsWorld, redis_url: str, targets: str) -> Iterator[FlaskClient]:
    at("2026-12-05T10:00")
    settings = Settings(
        database_url=settled.database.url,
        redis_url=redis_url,
        public_url="http://127.0.0.1:8000",
        targets_file=targets,
        **KEYS,
    )  # type: ignore[arg-type]  # settings read text
    app = create_app(settings)
    yield app.test_client()
    app.extensions["mutuelle"].redis.close()


def run(town: ReportsWorld, *words: str, **more: str) -> Result:
    """Runs a command; it reads the machine's clock, which CLOCK_SHIFT moves to 5 December."""
    shift_s = int((datetime(2026, 12, 5, 10, tzinfo=UTC) - clock.Source().now()).total_seconds())
    unreachable_urls = dict.fromkeys(("AT_BASE_URL", "MTN_BASE_URL", "WAVE_BASE_URL"), "http://127.0.0.1:9")
    env = {
        "DATABASE_URL": town.database.url,
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        "PUBLIC_URL": "https://x.example",
    }
    env |= {
        "CLOCK_SHIFT": str(shift_s),
        **unreachable_urls,
        **{name.upper(): value for name, value in KEYS.items()},
        **more,
    }
    try:
        return CliRunner().invoke(main, ["indicators", *words], env=env, catch_exceptions=False)
    finally:
        db.connect(town.database.url, wait_s=5)
        at("2026-12-05T10:00")


@pytest.fixture
def november() -> tuple[str, ...]:
    return ("--mutuelle", "SN-TEST", "--month", "2026-11")


def test_the_command_line_prints_text_json_and_csv(
    settled: ReportsWorld, november: tuple[str, ...], targets: str
) -> None:
    result = run(settled, *november, TARGETS_FILE=targets)
    assert result.exit_code == 0, result.output
    assert "penetration" + " " * 35 in result.stdout
    payload = json.loads(run(settled, *november, "--json", TARGETS_FILE=targets).stdout)
    assert (payload["mutuelle"], payload["month"], payload["on"], payload["over"]) == (
        "SN-TEST",
        "2026-11",
        "2026-11-30",
        True,
    )
    by_code = {entry["indicator"]: entry for entry in payload["indicators"] if not entry["by"]}
    assert (by_code["penetration"]["numerator"], by_code["penetration"]["denominator"]) == (7, 40)
    assert by_code["collection"]["per_mille"] == 581  # 30 500 / 52 500
    table = list(csv.DictReader(io.StringIO(run(settled, *november, "--csv").stdout)))
    assert next(row for row in table if row["indicator"] == "penetration")["denominator"] == ""
    assert len(table) == len(payload["indicators"])


def test_dhis2_comes_as_one_line_of_json(
    settled: ReportsWorld, november: tuple[str, ...], tmp_path: Path
) -> None:
    mapping = tmp_path / "m.toml"
    text = (ROOT / "config" / "dhis2-example.toml").read_text().replace("SN-DIENDER", "SN-TEST")
    mapping.write_text(text.replace('indicator = "renewal"', 'indicator = "penetration"'))
    result = run(settled, "dhis2", *november, "--mapping", str(mapping))
    payload = json.loads(result.stdout)
    assert (payload["period"], payload["orgUnit"], len(payload["dataValues"])) == ("202611", "OuDiender01", 7)
    assert {"dataElement": "DeSubsidy01", "categoryOptionCombo": "CcPayState1", "value": "24500"} in payload[
        "dataValues"
    ]
    # The settings name no target population.
    assert result.stderr == "1 of 8 numbers are not known and left out\n"


def test_values_are_sent_to_dhis2_and_its_answer_is_shown(
    settled: ReportsWorld, november: tuple[str, ...], tmp_path: Path, stranger: Stranger
) -> None:
    mapping, token = tmp_path / "m.toml", tmp_path / "token"
    mapping.write_text((ROOT / "config" / "dhis2-example.toml").read_text().replace("SN-DIENDER", "SN-TEST"))
    token.write_text("d2pat_secret\n")
    sends = ("dhis2", *november, "--mapping", str(mapping), "--post", stranger.url)
    counts = {"imported": 7, "updated": 1, "ignored": 0, "deleted": 0}
    stranger.answers["POST", "/api/dataValueSets"] = [
        (200, {"response": {"status": "SUCCESS", "importCount": counts}}),
        (
            409,
            {
                "response": {
                    "status": "WARNING",
                    "importCount": counts | {"ignored": 1},
                    "conflicts": [{"value": "too late"}],
                }
            },
        ),
    ]
    result = run(settled, *sends, "--token-file", str(token))
    assert (result.exit_code, result.stdout) == (0, "SUCCESS imported 7 updated 1 ignored 0 deleted 0\n")
    assert stranger.requests[0].json["period"] == "202611"
    result = run(settled, *sends, "--token-file", str(token))
    assert (result.exit_code, result.stderr) == (1, "too late\n")
    assert "--post needs --token-file" in run(settled, *sends).stderr
    assert "--token-file: No such file" in run(settled, *sends, "--token-file", "nowhere").stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--mutuelle", "SN-NONE", "--month", "2026-11"), "there is no mutuelle SN-NONE"),
        (("--mutuelle", "SN-TEST", "--month", "November"), "--month: write a month as 2026-11"),
        (("--mutuelle", "SN-TEST", "--month", "2027-11"), "--month: the month 2027-11 has not begun"),
        (
            ("dhis2", "--mutuelle", "SN-TEST", "--month", "2026-11", "--mapping", "nowhere"),
            "--mapping: nowhere cannot be read",
        ),
        (("--month", "2026-11"), "--mutuelle and --month are needed"),
    ],
)
def test_indicators_that_cannot_be_computed_are_reported_in_one_line(
    settled: ReportsWorld, words: tuple[str, ...], message: str
) -> None:
    result = run(settled, *words)
    assert (result.exit_code > 0, result.stdout) == (True, "")
    assert message in result.stderr


def test_a_targets_file_that_is_wrong_is_named(
    settled: ReportsWorld, november: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text("[[target_population.SN-TEST]]\nfrom = 2026-01-01\npeople = 0\n")
    result = run(settled, *november, TARGETS_FILE=str(file))
    assert result.exit_code == 1
    assert "target_population.SN-TEST.0.people" in result.output
    assert "target_population.SN-TEST.0.source" in result.output


def personal(town: ReportsWorld) -> list[str]:
    """What no public page may show: member numbers, phones, ids of households, names."""
    homes = [word for home in town.homes.values() for word in (home.number, str(home.id))]
    phones = [phone[-9:] for phone in (*PHONES.values(), STRANGER)]
    return [*homes, *phones, "Bakary", "Awa", str(town.tenant_id)]


def test_the_public_page_needs_no_login_and_names_no_person(
    settled: ReportsWorld, client: FlaskClient
) -> None:
    for path in (
        "/figures",
        "/figures?mutuelle=SN-TEST",
        "/figures.json",
        "/figures.csv",
        "/figures?mutuelle=SN-TEST&mois=2025-11",
    ):
        answer = client.get(path)
        page = answer.get_data(as_text=True)
        assert answer.status_code == 200, path
        assert [word for word in personal(settled) if word in page] == [], path
        assert answer.headers["Cache-Control"] == "public, max-age=3600"
        assert "Set-Cookie" not in answer.headers
        assert len(page) < 50_000
    assert "Taux de recouvrement" in client.get("/figures").get_data(as_text=True)


def test_the_public_figures_hide_small_numbers(client: FlaskClient) -> None:
    payload = client.get("/figures.json").get_json()
    assert (payload["month"], payload["small_count"]) == ("2026-11", 5)
    assert {entry["code"] for entry in payload["indicators"]} == {entry.code for entry in INDICATORS}
    senegal = next(entry for entry in payload["mutuelles"] if entry["code"] == "SN-TEST")
    values: dict[Any, Any] = {
        (entry["code"], entry["by"], entry["slice"]): entry for entry in senegal["readings"]
    }
    assert (values["penetration", "", ""]["numerator"], values["penetration", "", ""]["denominator"]) == (
        5,
        40,
    )
    assert ("open-share", "channel", "agent") not in values  # Modou's four, beside Awa's three
    assert values["rights-state", "", ""]["numerator"] == "<5"  # two households
    assert (values["open-share", "", ""]["numerator"], values["open-share", "", ""]["denominator"]) == (
        5,
        15,
    )  # 7 of 17
    assert values["collection", "", ""]["numerator"] == "<5"  # three households paid
    assert not [
        entry
        for entry in values.values()
        if entry["numerator"] in (1, 2, 3, 4) or entry["denominator"] in (1, 2, 3, 4)
    ]
    page = client.get("/figures?mutuelle=SN-TEST").get_data(as_text=True)
    assert "&lt;5" in page


def test_csv_and_json_hold_the_same_values(client: FlaskClient) -> None:
    rows = list(
        csv.DictReader(io.StringIO(client.get("/figures.csv?mutuelle=SN-TEST").get_data(as_text=True)))
    )
    (mutuelle,) = client.get("/figures.json?mutuelle=SN-TEST").get_json()["mutuelles"]
    values = [
        (entry["code"], entry["by"], entry["slice"], str(entry["numerator"]))
        for entry in mutuelle["readings"]
    ]
    assert [(row["indicator"], row["by"], row["slice"], row["numerator"]) for row in rows] == values
    assert {row["mutuelle"] for row in rows} == {"SN-TEST"}


@pytest.mark.parametrize(
    "query", ["mois=2026-12", "mois=2027-01", "mois=x", "mois=2019-12", "mutuelle=SN-NONE"]
)
def test_an_unfinished_month_and_an_unknown_mutuelle_are_not_published(
    client: FlaskClient, query: str
) -> None:
    for path in ("/figures", "/figures.json", "/figures.csv"):
        answer = client.get(f"{path}?{query}")
        assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")


def test_what_was_read_is_kept_for_an_hour_and_read_once(
    client: FlaskClient, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get("/figures.json?mutuelle=SN-TEST").get_json()
    with redis.Redis.from_url(redis_url) as cache:
        (key,) = cache.keys("figures-2:*")
        assert 3000 < cache.ttl(key) <= 3600
    monkeypatch.setattr(open_figures.indicators, "read", lambda *_: pytest.fail("read again"))
    assert client.get("/figures.json?mutuelle=SN-TEST").get_json() == first


def test_a_request_while_figures_are_read_is_answered_503(client: FlaskClient) -> None:
    with open_figures._reading:
        answer = client.get("/figures")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "20")
    assert client.get("/figures").status_code == 200
