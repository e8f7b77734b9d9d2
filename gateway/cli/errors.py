"""Puts expected errors into one line for the user of a command."""

import click
from sqlalchemy.exc import SQLAlchemyError

from mutuelle import db
from mutuelle.errors import Refused, UnreadableBooks
from mutuelle.schemes.schemes import SchemeError


def in_words(error: Exception) -> click.ClickException | None:
    """Returns the message that ends a command after `error`; None for an error that nobody expects."""
    if isinstance(error, Refused):
        values = ", ".join(f"{name} {value}" for name, value in error.values.items())
        return click.ClickException(f"{error.key}: {values}" if values else error.key)
    if isinstance(error, SchemeError):
        return click.ClickException(f"the rule books cannot be used: {error}")
    if isinstance(error, UnreadableBooks):
        return click.ClickException(f"the bills or the money of this household cannot be read: {error}")
    if not isinstance(error, SQLAlchemyError):
        return None
    if db.is_crossed(error):
        return click.ClickException(
            "something else was under way with the same rows; nothing of this step was done,"
            " run the command again"
        )
    reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    return click.ClickException(f"the database at DATABASE_URL: {reason} (is `mutuelle release` done?)")
