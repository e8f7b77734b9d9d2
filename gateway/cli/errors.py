"""What stops a command is said in one line, without a trace: the rules refuse, a rule book is wrong, the
database is away."""

from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from mutuelle import db
from mutuelle.errors import Refused
from mutuelle.schemes.schemes import SchemeError


class Commands(click.Group):
    """A group of commands that end in one line and exit 1 when they cannot go on."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as refused:
            told = ", ".join(f"{name} {value}" for name, value in refused.values.items())
            raise click.ClickException(f"{refused.key}: {told}" if told else refused.key) from None
        except SchemeError as error:
            raise click.ClickException(f"the rule books cannot be used: {error}") from None
        except SQLAlchemyError as error:
            if db.is_crossed(error):
                raise click.ClickException(
                    "something else was under way with the same rows; nothing of this step was done,"
                    " run the command again"
                ) from None
            said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            raise click.ClickException(
                f"the database at DATABASE_URL: {said} (is `mutuelle release` done?)"
            ) from None
