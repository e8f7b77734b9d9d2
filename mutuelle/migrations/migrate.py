"""Migrates a database to the newest schema. Alone imports alembic, which is slow to load."""

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from mutuelle import db


def migrate(url: str, version: str = "head") -> None:
    """Migrates the schema to `version`, by default the newest, as the login that will use it.

    One migration runs at a time.
    """
    engine = create_engine(db.driver_url(url), poolclass=NullPool)
    settings = Config()
    settings.set_main_option("script_location", "mutuelle:migrations")
    with engine.begin() as connection:
        db.check_login(connection)
        connection.execute(text("SELECT pg_advisory_xact_lock(7263011)"))
        settings.attributes["connection"] = connection
        command.upgrade(settings, version)
