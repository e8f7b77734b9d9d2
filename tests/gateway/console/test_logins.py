"""Tests of logins on the command line: a password is shown once, hashed, and ends with the login."""

from click.testing import CliRunner, Result
from sqlalchemy import select

from gateway.cli.main import main
from mutuelle import db
from mutuelle.organisation import logins
from mutuelle.organisation.logins import Login
from tests.gateway.console.conftest import Site


def mutuelle(site: Site, *words: str) -> Result:
    settings = site.app.extensions["mutuelle"].settings
    names = (
        "database_url",
        "redis_url",
        "public_url",
        "secret_key",
        "phone_key",
        "at_username",
        "at_api_key",
    )
    return CliRunner().invoke(
        main, ["accounts", *words], env={name.upper(): str(getattr(settings, name)) for name in names}
    )


def test_a_manager_added_on_the_command_line_logs_in_until_the_login_is_closed(site: Site) -> None:
    added = mutuelle(site, "add", "--mutuelle", "SN-TEST", "--login", "awa.diop", "--name", "Awa Diop")
    login, password = added.output.split()
    with db.transaction(db.Role.LOGIN) as session:
        stored = session.scalars(select(Login).where(Login.login == login)).one()
    assert password not in stored.password
    assert stored.password.startswith("scrypt:")
    assert site.visitor().post("/console/entrer", login=login, secret=password).status_code == 303
    fresh = mutuelle(site, "password", "--login", login).output.split()[1]
    assert site.visitor().post("/console/entrer", login=login, secret=password).status_code == 403
    assert site.visitor().post("/console/entrer", login=login, secret=fresh).status_code == 303
    assert mutuelle(site, "close", "--login", login).exit_code == 0
    assert site.visitor().post("/console/entrer", login=login, secret=fresh).status_code == 403


def test_a_taken_or_odd_login_and_an_unknown_mutuelle_are_refused_in_words(site: Site) -> None:
    for words in (("SN-TEST", "bakary"), ("SN-TEST", "Élodie!"), ("XX-NONE", "someone")):
        result = mutuelle(site, "add", "--mutuelle", words[0], "--login", words[1])
        assert result.exit_code == 1
        assert result.output.startswith("Error: ")
    assert mutuelle(site, "close", "--login", "nobody").exit_code == 1


def test_passwords_are_long_and_verified() -> None:
    assert len({logins.new_password() for _ in range(100)}) == 100
    assert len(logins.new_password().replace("-", "")) == 16
    sealed = logins.hash_password("correct-horse-battery")
    assert logins.verify_password("correct-horse-battery", sealed)
    assert not logins.verify_password("correct-horse-batterz", sealed)
    assert not logins.verify_password("", logins.NO_PASSWORD)
