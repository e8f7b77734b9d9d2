"""Turns expected errors into one-line CLI messages with exit code 1."""

from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from mutuelle import db
from mutuelle.errors import Refused
from mutuelle.schemes.schemes import SchemeError


class Commands(click.Group):
    """A group whose commands end with one line and exit code 1 on an expected error."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as refused:
            values = ", ".join(f"{name} {value}" for name, value in refused.values.items())
            raise click.ClickException(f"{refused.key}: {values}" if values else refused.key) from None
        except SchemeError as error:
            raise click.ClickException(f"the rule books cannot be used: {error}") from None
        except SQLAlchemyError as error:
            if db.is_crossed(error):
                raise click.ClickException(
                    "something else was under way with the same rows; nothing of this step was done,"
                    " run the command again"
                ) from None
            reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            raise click.ClickException(
                f"the database at DATABASE_URL: {reason} (is `mutuelle release` done?)"
            ) from None
