"""`mutuelle pull`: what cannot be read again is refused with its reason, before anybody is asked."""

from datetime import timedelta

import pytest

from mutuelle import clock
from tests.gateway.cli.world import Terminal

LATER = str(clock.now().date() + timedelta(days=2))
TODAY = str(clock.now().date())


@pytest.mark.parametrize(
    ("account", "day", "reason"),
    [
        ("SN-NONE", TODAY, "there is no account SN-NONE; nothing was read"),
        ("RW-TEST", TODAY, "mtn offers no transaction list; nothing was read"),
        ("SN-TEST", LATER, f"{LATER} has not begun (days are in UTC); nothing was read"),
    ],
)
def test_what_has_no_list_is_refused(shell: Terminal, account: str, day: str, reason: str) -> None:
    assert reason in shell.refusal("pull", "--account", account, "--day", day)


@pytest.mark.parametrize("day", ["2026-02-30", "yesterday", "30/11/2026", ""])
def test_what_is_no_day_is_refused(shell: Terminal, day: str) -> None:
    ran = shell.run("pull", "--account", "SN-TEST", "--day", day)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "--day" in ran.stderr
