"""Spoils the transaction list that Wave sends: lines unreadable for some hours, and in another order."""

from datetime import timedelta

from sandbox.clock import parse
from sandbox.fault_draws import Subject
from sandbox.journal import Row
from sandbox.kernel import Kernel
from sandbox.settings import WaveAccount
from sandbox.wave_webhook import OPERATOR

UNREADABLE = timedelta(hours=3)  # after its moment the line can be read
# What a broken line holds instead, by the last letter of its transaction.
BROKEN: tuple[Row, ...] = ({"fee": "1,O"}, {"amount": "12,5O"}, {"timestamp": ""}, {"is_reversal": "no"})


def spoil(kernel: Kernel, account: WaveAccount, lines: list[Row]) -> list[Row]:
    """Returns the lines of a page as the list shows them now."""
    if not any(kernel.faults.plan.shares.get(fault) for fault in ("unreadable", "misordered")):
        return lines
    shown = [_broken(line) if _is_broken(kernel, account, line) else line for line in lines]
    page = Subject(OPERATOR, account.account, "", lines[0]["transaction_id"]) if lines else None
    if page and kernel.faults.strikes("misordered", page, kernel.faults.attempt(page, "page"), "page"):
        shown.reverse()
    return shown


def _is_broken(kernel: Kernel, account: WaveAccount, line: Row) -> bool:
    if kernel.clock.now() >= parse(line["timestamp"]) + UNREADABLE:
        return False
    subject = Subject(OPERATOR, account.account, line["counterparty_mobile"], line["transaction_id"])
    return kernel.faults.strikes("unreadable", subject, 1, "line")


def _broken(line: Row) -> Row:
    return {**line, **BROKEN[ord(line["transaction_id"][-1]) % len(BROKEN)]}
