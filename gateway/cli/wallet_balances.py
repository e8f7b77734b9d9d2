"""Asks the operators for the balance of each wallet, to compare it with the books."""

from collections.abc import Sequence
from dataclasses import replace

from config.settings import Settings
from gateway import momo
from mutuelle import crypto
from mutuelle.errors import Declined, Malformed, Unavailable
from mutuelle.organisation.tenants import OperatorAccount
from mutuelle.payments.operators import TakesPayments
from mutuelle.verification.balances import WalletBalance


def ask(settings: Settings, wallets: Sequence[WalletBalance]) -> list[WalletBalance]:
    """Returns the wallets with the answers of their operators. Call it outside any transaction."""
    return [_ask(settings, wallet) for wallet in wallets]


def _ask(settings: Settings, wallet: WalletBalance) -> WalletBalance:
    try:
        answer = _connect(settings, wallet.account).fetch_balance()
    except (Unavailable, Declined, Malformed) as error:
        return replace(wallet, reason=f"no answer that can be read ({error})")
    except Exception as error:  # of any kind: the other wallets are compared
        return replace(wallet, reason=f"the stored credentials cannot be used ({type(error).__name__})")
    return replace(wallet, answer=answer)


def _connect(settings: Settings, account: OperatorAccount) -> TakesPayments:
    return momo.connect(account.operator, settings, crypto.open_credentials(account.credentials))
