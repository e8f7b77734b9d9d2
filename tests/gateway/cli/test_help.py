"""Help works before anything is set up."""

from click.testing import CliRunner

from gateway.cli.main import main
from tests.gateway.cli.world import SETTINGS
from tests.test_docs import commands


def test_every_help_needs_no_settings() -> None:
    nothing = dict.fromkeys((*SETTINGS, "DATABASE_URL"))
    paths = list(commands(main))
    assert ("accounts", "add") in paths
    for words in paths:
        ran = CliRunner().invoke(main, [*words, "--help"], env=nothing)
        assert (ran.exit_code, ran.output.startswith("Usage: ")) == (0, True), words
