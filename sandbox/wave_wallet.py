"""Changes a merchant's Wave wallet without a payment: a payout of its staff, a corrected fee."""

from sandbox.clock import iso
from sandbox.journal import Row
from sandbox.kernel import Kernel, random_name
from sandbox.refusal import Refusal
from sandbox.settings import WaveAccount
from sandbox.wave_book import WaveBook, public
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


def correct_fee(kernel: Kernel, book: WaveBook, transaction: str, fee: int) -> Row:
    """Charges another fee for a payment: its line changes, and the wallet by the difference."""
    with kernel.lock:
        line = kernel.journal.get("wave.line", transaction)
        if line is None or int(line["amount"]) <= 0:
            raise Refusal(404, f"no Wave payment {transaction!r}", "take one from /truth")
        gross = int(line["amount"]) + int(line["fee"])
        if fee >= gross:
            raise Refusal(400, f"the fee is not below {gross}", "send a smaller one")
        balance = book.balance(line["_account"]) + int(line["fee"]) - fee
        corrected = {**line, "amount": str(gross - fee), "fee": str(fee), "balance": str(balance)}
        kernel.journal.put(("wave.line", transaction, corrected))
        return public(corrected)
