"""The commands `mutuelle menus`: checks and draws the USSD dialogues."""

import sys

import click

from menus import fit, graph_checks
from menus.flow import FLOW


@click.group("menus")
def group() -> None:
    """The USSD dialogues."""


@group.command("check")
def check() -> None:
    """Check that every screen, at its longest, fits one USSD page in every language. Exit 1 if not."""
    problems = fit.check(FLOW)
    for problem in problems:
        click.echo(str(problem))
    click.echo(f"{len(FLOW.screens)} screens, {len(problems)} problems")
    sys.exit(1 if problems else 0)


@group.command("draw")
def draw() -> None:
    """Print the dialogues as a Mermaid graph."""
    click.echo(graph_checks.draw(FLOW))
