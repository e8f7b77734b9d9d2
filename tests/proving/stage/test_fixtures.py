"""Tests the fixtures: clean real databases, a real Redis, and no network beyond the machine."""

import socket

import psycopg
import pytest
import redis

from tests.support.guard import OutsideWorld
from tests.support.templates import Database, TemplateServer


@pytest.mark.every_postgres
def test_the_products_login_owns_a_migrated_database_and_nothing_more(database: Database):
    with psycopg.connect(database.url) as connection:
        rights = connection.execute(
            "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert rights == (False, False)
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
        assert connection.info.encoding == "utf-8"


@pytest.mark.every_postgres
def test_the_server_is_the_version_its_name_says(postgres: TemplateServer):
    with psycopg.connect(postgres.superuser_url()) as connection:
        assert connection.info.server_version // 10000 == postgres.program.major


def test_what_one_test_writes_the_next_never_sees(postgres: TemplateServer):
    with postgres.copy() as first, psycopg.connect(first.url) as connection:
        connection.execute("CREATE TABLE traces (id serial)")
    with postgres.copy() as second, psycopg.connect(second.url) as connection:
        assert connection.execute("SELECT to_regclass('traces')").fetchone() == (None,)


def test_a_database_can_be_emptied_past_append_only_triggers(blank_database: Database):
    with psycopg.connect(blank_database.url) as connection:
        connection.execute("CREATE TABLE words (id serial, word text)")
        connection.execute(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'append-only'; END$$"
        )
        connection.execute("CREATE TRIGGER keep BEFORE DELETE ON words FOR EACH ROW EXECUTE FUNCTION no()")
        connection.execute("INSERT INTO words (word) VALUES ('a'), ('b')")
        connection.commit()
        with pytest.raises(psycopg.errors.RaiseException):
            connection.execute("DELETE FROM words")
        connection.rollback()
        blank_database.empty()
        connection.execute("INSERT INTO words (word) VALUES ('c')")
        assert connection.execute("SELECT id, word FROM words").fetchall() == [(1, "c")]


def test_redis_is_real_empty_and_never_evicts(redis_url: str):
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.dbsize() == 0
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        client.set("left", "behind")


def test_the_next_test_gets_redis_empty_again(redis_url: str):
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.org"])
def test_the_outside_world_is_out_of_reach(host: str):
    with pytest.raises(OutsideWorld, match=host):
        socket.create_connection((host, 80), timeout=1)


@pytest.mark.browser
def test_the_browser_shows_a_page(browser):
    page = browser.new_page()
    page.set_content("<h1>Bonjour</h1>")
    assert page.inner_text("h1") == "Bonjour"
    page.close()
