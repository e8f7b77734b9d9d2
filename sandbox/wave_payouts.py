"""Pays money out of a merchant's Wave wallet, as its staff do in Wave's portal."""

from sandbox.clock import iso
from sandbox.kernel import Kernel, random_name
from sandbox.refusal import Refusal
from sandbox.settings import WaveAccount
from sandbox.wave_book import WaveBook
from sandbox.wave_webhook import SMALL


def pay_out(kernel: Kernel, book: WaveBook, account: WaveAccount, phone: str, amount: int) -> str:
    """Sends `amount` to `phone`, with the fee on top. Returns the transaction; no webhook is documented."""
    with kernel.lock:
        fee = amount * account.fee_permille // 1000
        balance = book.balance(account.account)
        if balance < amount + fee:
            raise Refusal(409, f"the wallet {account.account} holds less than {amount + fee}", "pay out less")
        transaction = f"pt-{random_name(SMALL, 13)}"
        line = {
            "timestamp": iso(kernel.clock.now()),
            "transaction_id": transaction,
            "transaction_type": "api_payout",
            "amount": str(-amount - fee),
            "fee": str(fee),
            "balance": str(balance - amount - fee),
            "currency": account.currency,
            "is_reversal": False,
            "counterparty_name": "Client de démonstration",
            "counterparty_mobile": phone,
            "client_reference": None,
            "payment_reason": None,
            "checkout_api_session_id": None,
            "_account": account.account,
        }
        kernel.journal.put(("wave.line", transaction, line))
    return transaction
