"""A terminal with the product's settings; it restores the logging that commands change."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner, Result

from gateway.cli.main import main
from tests.support.templates import Database

SETTINGS = {
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "PUBLIC_URL": "https://ussd.example.org/",
    "SECRET_KEY": "s" * 32,
    "PHONE_KEY": "p" * 32,
    "AT_USERNAME": "sandbox",
    "AT_API_KEY": "key",
}


@dataclass(frozen=True)
class Terminal:
    """A terminal in which the product's settings are set."""

    database: Database
    env: dict[str, str]

    def run(self, *words: str, **env: str | None) -> Result:
        return CliRunner().invoke(main, words, env={**self.env, **env}, catch_exceptions=False)

    def json(self, *words: str) -> Any:
        """The one JSON document on standard output; standard error must be empty."""
        result = self.run(*words, "--json")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.count("\n") == 1
        return json.loads(result.stdout)

    def refusal(self, *words: str, **env: str | None) -> str:
        """The one line of standard error with which the command exits 1."""
        result = self.run(*words, **env)
        assert (result.exit_code, result.stdout) == (1, ""), result.output
        assert result.stderr.count("\n") == 1, result.stderr
        return result.stderr.strip()


@contextmanager
def opened(database: Database) -> Iterator[Terminal]:
    """A terminal for this database."""
    root = logging.getLogger()
    state = root.handlers[:], root.level, logging.raiseExceptions, sys.excepthook
    yield Terminal(database, {**SETTINGS, "DATABASE_URL": database.url})
    root.handlers[:], level, logging.raiseExceptions, sys.excepthook = state
    root.setLevel(level)
