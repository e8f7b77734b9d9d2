"""Tests that metrics equal the books, without personal data; who may read them; and that alerts use them."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from config.settings import Settings, SettingsError, load
from gateway.app import create_app
from gateway.doorbell import Doorbell
from mutuelle import archive, clock, db
from mutuelle.archive import ArchivedTable
from mutuelle.reports import metrics
from proving.stage.servers import Redis
from tests.gateway.hooks.world import WebWorld, event, signed
from tests.support import books
from tests.support.people import AWA, BAKARY, TOKEN
from tests.support.templates import Database

ALERTS = Path(__file__).parents[3] / "docs" / "alerts.yml"
RULES = [
    rule for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
]
WAVE = f"/momo/wave/{TOKEN}-SN/callback"
LABELS = {
    "tenant",
    "operator",
    "account",
    "door",
    "provider",
    "kind",
    "status",
    "span",
    "verdict",
    "quantile",
    "table",
    "currency",
    "version",
    "python",
}
LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (-?[0-9.e+-]+)')


@pytest.fixture
def web(database: Database, redis_url: str) -> Iterator[WebWorld]:
    """A database of this test's own, because metrics count everything in it."""
    yield WebWorld(database, redis_url)
    db.disconnect()


def scrape(web: WebWorld):
    answer = web.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return answer.get_data(as_text=True)


def samples(text):
    """Returns `{(name, (label, value) ...): number}`; every line must be valid for Prometheus."""
    values, typed = {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert kind in ("gauge", "counter")
            assert name not in typed
            typed.add(name)
        elif not line.startswith("# HELP "):
            match = LINE.fullmatch(line)
            assert match, line
            assert match[1] in typed
            key = (match[1], *sorted(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match[2] or "")))
            assert key not in values
            values[key] = float(match[3])
    return values


def value_of(metrics_text, name, **labels):
    """Returns the one number with these labels."""
    (value,) = [value for (named, *pairs), value in samples(metrics_text).items()
                if named == f"mutuelle_{name}" and labels.items() <= dict(pairs).items()]  # fmt: skip
    return value


@pytest.fixture
def filled_books(web: WebWorld):
    """The books of the isolation tests: Awa paid, a stranger paid, a payment was reversed, notices came."""
    return books.fill(web.world)


def test_the_metrics_are_those_of_the_books(web: WebWorld, filled_books):
    metrics_text = scrape(web)
    ((receipts, units),) = web.rows("SELECT count(*), sum(amount) FROM receipts WHERE door = 'list'")
    ours = {"tenant": "SN-TEST", "account": "SN-TEST", "operator": "wave", "span": "1h"}
    assert value_of(metrics_text, "receipts", door="list", **ours) == receipts
    assert value_of(metrics_text, "receipts_units", door="list", currency="XOF", **ours) == units
    assert value_of(metrics_text, "receipts_units", door="poll", span="1d") == 2_000
    assert (
        value_of(metrics_text, "suspense_units", tenant="SN-TEST", currency="XOF"),
        value_of(metrics_text, "suspense_receipts"),
    ) == (
        500,
        1,
    )
    assert value_of(metrics_text, "notices_waiting", door="momo", provider="wave") == 1
    assert value_of(metrics_text, "payments", operator="wave", status="confirmed", span="1h") == 1
    assert (
        value_of(metrics_text, "request_to_credit_seconds", operator="wave", span="1h", quantile="0.5") >= 0
    )
    assert value_of(metrics_text, "flags_open", tenant="SN-TEST", kind="suspense") == 1
    assert value_of(metrics_text, "confirmations", operator="wave", span="1d") == receipts + 1
    assert value_of(metrics_text, "confirmations", operator="mtn", span="1d") == 0
    assert value_of(metrics_text, "sms", tenant="SN-TEST", kind="welcome", status="queued") == 1
    assert (
        value_of(metrics_text, "sessions_begun", tenant="SN-TEST", span="1h"),
        value_of(metrics_text, "sessions_acted", span="1h"),
    ) == (1, 1)
    assert (
        value_of(metrics_text, "database_up"),
        value_of(metrics_text, "redis_up"),
        value_of(metrics_text, "redis_keeps_jobs"),
    ) == (1, 1, 1)


def test_the_metrics_tell_when_old_rows_were_last_taken_out(web: WebWorld, filled_books):
    assert "mutuelle_archive_run_seconds{" not in scrape(web)
    with db.transaction(db.Role.WORKER) as session:
        archive.take_out(session, ArchivedTable.MESSAGES, clock.now() - timedelta(days=400), 1)
        archive.take_out(session, ArchivedTable.TRAIL, clock.now() - timedelta(days=400), 0)  # not the last
    metrics_text = scrape(web)
    assert 0 <= value_of(metrics_text, "archive_run_seconds", table="messages") < 60
    assert 'mutuelle_archive_run_seconds{table="audit"}' not in metrics_text
    assert value_of(metrics_text, "archive_oldest_seconds", table="audit") >= 0


def test_two_processes_report_the_same_metrics(web: WebWorld, filled_books):
    """No value is counted in a process."""
    other = create_app(Settings(**settings(web))).test_client()
    counted = [{key: value for key, value in samples(metrics_text).items() if "seconds" not in key[0]}
               for metrics_text in (scrape(web), other.get("/metrics").get_data(as_text=True))]  # fmt: skip
    assert counted[0] == counted[1]


def settings(web: WebWorld, **more: str) -> dict[str, str]:
    required = {"secret_key": "s" * 32, "phone_key": "p" * 32, "at_username": "sandbox", "at_api_key": "key"}
    return (
        required
        | {
            "database_url": web.database.url,
            "redis_url": web.redis_url,
            "public_url": "http://127.0.0.1:8000",
        }
        | more
    )


def test_the_metrics_name_no_person(web: WebWorld, filled_books):
    metrics_text = scrape(web)
    assert {label for (_, *pairs) in samples(metrics_text) for label, _ in pairs} <= LABELS
    for secret in (AWA[1:], BAKARY[1:], filled_books.household.number, str(filled_books.household.id), TOKEN):
        assert secret not in metrics_text
    assert not re.search(r"\d{9,}", re.sub(r"e[+-]\d+|\d+\.\d+", "", metrics_text))


def test_refused_callbacks_are_counted_beside_accepted_ones(web: WebWorld):
    body = event()
    web.send("POST", WAVE, data=body, headers={"Wave-Signature": "t=1,v1=00"})
    metrics_text = scrape(web)
    assert value_of(metrics_text, "callbacks", operator="wave", verdict="rejected", span="1h") == 1
    assert value_of(metrics_text, "callbacks", operator="wave", verdict="accepted", span="1h") == 0
    assert not [key for key in samples(metrics_text) if key[0] == "mutuelle_last_callback_seconds"]
    web.send("POST", WAVE, data=body, headers=signed(body))
    metrics_text = scrape(web)
    assert value_of(metrics_text, "callbacks", operator="wave", verdict="accepted", span="1h") == 1
    assert 0 <= value_of(metrics_text, "last_callback_seconds", operator="wave") < 60
    health = web.send("GET", "/health/ready").json["operators"]
    assert (
        health["wave"]["rejected_1h"],
        health["wave"]["accepted_1h"],
        health["wave"]["confirmations_1h"],
    ) == (1, 1, 0)
    assert health["mtn"] == {"accepted_1h": 0, "rejected_1h": 0, "confirmations_1h": 0}


def test_a_dead_scheduler_shows_in_the_metrics(web: WebWorld):
    assert not [key for key in samples(scrape(web)) if key[0] == "mutuelle_scheduler_swept_seconds"]
    with web.cache() as cache:
        Doorbell(cache).beat(clock.now() - timedelta(seconds=500))
    assert 500 <= value_of(scrape(web), "scheduler_swept_seconds") < 560
    answer = web.send("GET", "/health/ready")
    assert (answer.status_code, answer.json["status"]) == (200, "degraded")
    assert answer.json["scheduler_s"] >= 500


def test_without_redis_or_the_database_the_other_metrics_are_served(web: WebWorld, redis_server: Redis):
    with web.no_database():
        metrics_text = scrape(web)
        assert (value_of(metrics_text, "database_up"), value_of(metrics_text, "redis_up")) == (0, 1)
        assert "mutuelle_receipts_units" not in metrics_text
    redis_server.stop()
    try:
        metrics_text = scrape(web)
        assert (
            value_of(metrics_text, "database_up"),
            value_of(metrics_text, "redis_up"),
            value_of(metrics_text, "redis_keeps_jobs"),
        ) == (1, 0, 0)
    finally:
        redis_server.start()


@pytest.mark.parametrize("peer", ["10.0.0.7", "8.8.8.8", "2001:db8::1", "::ffff:10.0.0.7", ""])
def test_other_machines_get_404_for_the_metrics(web: WebWorld, peer):
    answer = web.client.get("/metrics", environ_base={"REMOTE_ADDR": peer})
    assert (answer.status_code, "mutuelle_" in answer.get_data(as_text=True)) == (404, False)


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_a_request_through_a_local_proxy_gets_404_for_the_metrics(web: WebWorld, name):
    assert web.client.get("/metrics", headers={name: "127.0.0.1"}).status_code == 404


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_may_look(web: WebWorld, peer):
    assert web.client.get("/metrics", environ_base={"REMOTE_ADDR": peer}).status_code == 200


def test_a_network_that_is_named_may_look_and_only_that_one(web: WebWorld):
    client = create_app(Settings(**settings(web, metrics_from="10.1.0.0/16"))).test_client()
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "10.1.2.3"}).status_code == 200
    for peer in ("127.0.0.1", "10.2.0.1"):
        assert client.get("/metrics", environ_base={"REMOTE_ADDR": peer}).status_code == 404


def test_a_network_that_is_none_stops_the_start(web: WebWorld, monkeypatch):
    for name, value in settings(web, metrics_from="10.1.0.0/16 everybody").items():
        monkeypatch.setenv(name.upper(), value)
    with pytest.raises(SettingsError, match="METRICS_FROM"):
        load()


def test_alerts_name_metrics_that_exist_with_their_labels(web: WebWorld, filled_books):
    with web.cache() as cache:
        Doorbell(cache).beat(clock.now())
    metrics_text = scrape(web)
    families = set(re.findall(r"^# TYPE (\w+)", metrics_text, re.M))
    there = {name: {label for label, _ in pairs} for (name, *pairs) in samples(metrics_text)}
    for rule in RULES:
        for name, matchers in re.findall(r"\b(mutuelle_\w+)(?:\{([^}]*)\})?", rule["expr"]):
            assert name in families, rule["alert"]
            used = {label for label, _, _ in re.findall(r'(\w+)(=~|=)"([^"]*)"', matchers)}
            assert used <= there.get(name, LABELS), rule["alert"]


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_names_in_two_languages_what_is_wrong_and_what_to_do(rule):
    assert set(rule["annotations"]) == {"resume", "a_faire", "summary", "to_do"}
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}


def test_alerts_have_names_of_their_own():
    assert len({rule["alert"] for rule in RULES}) == len(RULES) >= 12


def test_every_metric_can_be_read_in_an_empty_database_and_on_its_own(web: WebWorld):
    with db.transaction(db.Role.AUDITOR) as session:
        for metric in metrics.METRICS:
            ((_, samples_read),) = metrics.read(session, metric.name)
            assert all(set(sample.labels) <= LABELS for sample in samples_read)
            assert metric.help
            assert metric.name.endswith("_total") == (metric.kind == "counter")
