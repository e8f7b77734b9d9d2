"""The last screen of a payment names how its payer approves it: the menus and the adapters must agree."""

from gateway.momo import OPERATORS
from menus import wallets
from menus.flow import FLOW
from menus.screens import text_ids


def test_the_menus_know_every_operator_no_other_and_how_its_payers_agree():
    assert {name: approval for name, (_, approval) in wallets.WALLETS.items()} == {
        name: adapter.approval for name, adapter in OPERATORS.items()
    }


def test_every_way_to_approve_has_its_last_screen():
    assert {f"pay.sent.{style}" for style in ("push", "link", "otp", "dial", "other")} == text_ids(
        FLOW.screens["pay.sent"]
    )


def test_a_wallet_without_a_description_is_called_by_its_name():
    assert (wallets.name("kbank"), wallets.approval("kbank")) == ("Kbank", "other")
