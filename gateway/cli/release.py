"""The command `mutuelle release`. Only it loads the migrations."""

import click

from config.settings import load
from mutuelle.migrations.migrate import migrate


@click.command("release")
def command() -> None:
    """Bring the database schema to this version."""
    migrate(load().database_url)
