"""The command line `mutuelle`. Commands print tables for people, or JSON with `--json`.

A command is loaded when it is used: a worker starts in half the time, and no command waits for the others.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from config import settings

# Each command's module and its name there.
COMMANDS = {
    "account": ("operator_accounts", "group"),
    "accounts": ("logins", "group"),
    "archive": ("archive_runs", "group"),
    "claims": ("claims", "group"),
    "households": ("household_lists", "group"),
    "indicators": ("indicators", "group"),
    "members": ("members", "group"),
    "menus": ("menus", "group"),
    "payments": ("payments", "group"),
    "pull": ("transaction_lists", "command"),
    "refunds": ("refunds", "command"),
    "registry": ("office_lists", "registry_group"),
    "release": ("release", "command"),
    "rights": ("rights", "command"),
    "schedule": ("processes", "schedule"),
    "schemes": ("schemes", "group"),
    "sponsors": ("sponsors", "group"),
    "verify": ("verify", "command"),
    "work": ("processes", "work"),
}


STATE_DIR = "--state-dir"


class Commands(click.Group):
    """Loads the command that is asked for. It ends with one line and exit code 1 on an expected error."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Takes `--state-dir DIR` before and after the command."""
        for place, word in enumerate(args):
            if word == STATE_DIR or word.startswith(f"{STATE_DIR}="):
                end = place + (2 if word == STATE_DIR else 1)
                args = [*args[place:end], *args[:place], *args[end:]]
                break
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"gateway.cli.{module}"), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, click.ClickException):
            raise
        except Exception as error:  # of any kind: only the words for it know which are expected
            expected: click.ClickException | None = import_module("gateway.cli.errors").in_words(error)
            if expected is None:
                raise
            raise expected from None


def _take_settings(ctx: click.Context, option: click.Parameter, state_dir: Path | None) -> None:
    if state_dir is not None:
        settings.take_from(state_dir)


@click.group(cls=Commands)
@click.version_option(package_name="mutuelle-gateway", prog_name="mutuelle")
@click.option(
    STATE_DIR,
    type=click.Path(file_okay=False, path_type=Path),
    expose_value=False,
    callback=_take_settings,
    help="take the settings of the `make run` with this STATE_DIR",
)
def main() -> None:
    """Enrolment and contributions of health mutuelles by USSD, SMS and mobile money."""
