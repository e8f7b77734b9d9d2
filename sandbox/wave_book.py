"""Keeps Wave's checkout sessions, payments, refunds and the lines of the transaction list."""

import bisect
from datetime import datetime, timedelta
from typing import Any

from sandbox.clock import iso, parse
from sandbox.journal import Row
from sandbox.kernel import Kernel, random_name
from sandbox.phones import Phones
from sandbox.refusal import Refusal
from sandbox.settings import WaveAccount
from sandbox.truth import Truth
from sandbox.wave_webhook import CAPITALS, OPERATOR, SMALL, Webhook

SESSION_LIFE = timedelta(minutes=30)
ERROR_MESSAGES = {
    "insufficient-funds": "The customer has insufficient funds.",
    "payer-mobile-mismatch": "The payer's mobile does not match restrict_payer_mobile.",
    "payment-failure": "The payment failed.",
}


class WaveBook:
    """Sessions are JSON rows with Wave's field names; keys that begin with `_` are ours and never sent."""

    def __init__(self, kernel: Kernel, phones: Phones, truth: Truth) -> None:
        self._kernel = kernel
        self._phones = phones
        self._truth = truth
        self._webhook = Webhook(kernel)
        self.accounts = {account.account: account for account in kernel.settings.wave}
        self._open: set[str] = set()
        self._by_payer: dict[str, list[str]] = {}
        self._by_reference: dict[tuple[str, str], list[str]] = {}
        self._by_transaction: dict[tuple[str, str], str] = {}
        self._days: dict[tuple[str, str], list[Row]] = {}
        self._balances: dict[str, int] = {}
        kernel.journal.watch("wave.session", self._index_session)
        kernel.journal.watch("wave.line", self._index_line)

    def _index_session(self, key: str, row: Row) -> None:
        (self._open.add if row["checkout_status"] == "open" else self._open.discard)(key)
        account = row["_account"]
        _append_once(self._by_reference, (account, row["client_reference"]), key)
        if row["restrict_payer_mobile"]:
            _append_once(self._by_payer, row["restrict_payer_mobile"], key)
        if row["transaction_id"]:
            self._by_transaction[account, row["transaction_id"]] = key

    def _index_line(self, key: str, row: Row) -> None:
        lines = self._days.setdefault((row["_account"], row["timestamp"][:10]), [])
        lines[:] = [
            line for line in lines if line["transaction_id"] != key
        ]  # a corrected line replaces itself
        bisect.insort(lines, row, key=lambda line: line["timestamp"])  # a late line stands among older ones
        self._balances[row["_account"]] = int(row["balance"])

    # --- sessions

    def open_session(self, account: WaveAccount, payload: dict[str, Any]) -> Row:
        """Opens a checkout session for 30 minutes. Not idempotent: each request opens another."""
        kernel = self._kernel
        now = kernel.clock.now()
        key = f"cos-{random_name(SMALL, 13)}"
        row = {
            "id": key,
            "amount": payload["amount"],
            "currency": payload["currency"],
            "checkout_status": "open",
            "payment_status": "processing",
            "client_reference": payload.get("client_reference"),
            "aggregated_merchant_id": payload.get("aggregated_merchant_id"),
            "restrict_payer_mobile": payload.get("restrict_payer_mobile"),
            "business_name": account.business_name,
            "success_url": payload["success_url"],
            "error_url": payload["error_url"],
            "last_payment_error": None,
            "transaction_id": None,
            "wave_launch_url": f"{kernel.settings.public_url}/wave/c/{key}",
            "when_created": iso(now),
            "when_completed": None,
            "when_expires": iso(now + SESSION_LIFE),
            "_account": account.account,
            "_refused_by": [],
        }
        with kernel.lock:
            kernel.journal.put(("wave.session", key, row))
        return row

    def session(self, key: str, account: str | None = None) -> Row | None:
        """Returns the session as it is now; with `account`, only a session of that account."""
        with self._kernel.lock:
            row = self._kernel.journal.get("wave.session", key)
            if row is None or account not in (None, row["_account"]):
                return None
            return self._expire_if_due(row)

    def by_reference(self, account: str, reference: str) -> list[Row]:
        with self._kernel.lock:
            keys = self._by_reference.get((account, reference), [])
            return [row for key in keys if (row := self.session(key))]

    def by_transaction(self, account: str, transaction: str) -> Row | None:
        key = self._by_transaction.get((account, transaction))
        return self.session(key) if key else None

    def for_phone(self, phone: str) -> list[Row]:
        """Returns open sessions whose link arrived on this phone by SMS, or that are restricted to it."""
        with self._kernel.lock:
            keys = [*self._phones.links(phone), *self._by_payer.get(phone, [])]
            rows = [row for key in dict.fromkeys(keys) if (row := self.session(key))]
        return [row for row in rows if row["checkout_status"] == "open" and phone not in row["_refused_by"]]

    def expire(self, row: Row) -> None:
        """Closes an open session, without a webhook: none is documented for it."""
        with self._kernel.lock:
            if row["checkout_status"] == "open":
                closed = {**row, "checkout_status": "expired", "payment_status": "cancelled"}
                self._kernel.journal.put(("wave.session", row["id"], closed))

    def expire_due(self) -> None:
        with self._kernel.lock:
            for key in sorted(self._open):
                self.session(key)

    def _expire_if_due(self, row: Row) -> Row:
        if row["checkout_status"] == "open" and self._kernel.clock.now() >= parse(row["when_expires"]):
            self.expire(row)
            return self._kernel.journal.get("wave.session", row["id"]) or row
        return row

    # --- what the subscriber does

    def approve(self, key: str, phone: str, amount: int | None = None) -> Row:
        """Pays a session from `phone`'s wallet, or leaves it open with `last_payment_error` set.

        `amount` is what moves, by the operator's fault, instead of what was asked for.
        """
        with self._kernel.lock:
            row = self._payable(key)
            if amount is not None:
                row = {**row, "amount": str(amount)}
            amount = int(row["amount"])
            if row["restrict_payer_mobile"] not in (None, phone):
                return self._fail(row, phone, "payer-mobile-mismatch")
            if self._phones.balance(phone) < amount:
                return self._fail(row, phone, "insufficient-funds")
            return self._complete(row, phone, amount)

    def decline(self, key: str, phone: str) -> Row:
        """Fails the payment and hides the prompt; the link itself stays open until it expires."""
        with self._kernel.lock:
            row = self._payable(key)
            return self._fail({**row, "_refused_by": [*row["_refused_by"], phone]}, phone, "payment-failure")

    def ignore(self, key: str, phone: str) -> None:
        with self._kernel.lock:
            row = self._payable(key)
            self._kernel.journal.put(
                ("wave.session", key, {**row, "_refused_by": [*row["_refused_by"], phone]})
            )

    def _payable(self, key: str) -> Row:
        row = self.session(key)
        if row is None:
            raise Refusal(404, f"no checkout session {key!r}", "list the phone's prompts again")
        if row["checkout_status"] != "open":
            raise Refusal(409, f"this checkout session is {row['checkout_status']}", "ask for a new one")
        return row

    def _fail(self, row: Row, phone: str, code: str) -> Row:
        error = {"code": code, "message": ERROR_MESSAGES[code]}
        failed = {**row, "payment_status": "cancelled", "last_payment_error": error}
        self._kernel.journal.put(("wave.session", row["id"], failed))
        reference = f"{row['id']}:{code}:{len(row['_refused_by'])}"
        self._webhook.announce(
            self.accounts[row["_account"]],
            phone,
            reference,
            "checkout.session.payment_failed",
            public(failed),
        )
        return failed

    def _complete(self, row: Row, phone: str, amount: int) -> Row:
        account = self.accounts[row["_account"]]
        now = iso(self._kernel.clock.now())
        transaction = f"T{random_name(CAPITALS, 10)}"
        complete = {
            **row,
            "checkout_status": "complete",
            "payment_status": "succeeded",
            "last_payment_error": None,
            "transaction_id": transaction,
            "when_completed": now,
        }
        line = self._line(account, transaction, "api_checkout", amount, phone, now)
        line |= {"client_reference": row["client_reference"], "checkout_api_session_id": row["id"]}
        facts = {
            "account": account.account,
            "payer": phone,
            "amount": amount,
            "currency": account.currency,
            "at": now,
        }
        self._kernel.journal.put(
            ("wave.session", row["id"], complete),
            ("wave.line", transaction, line),
            self._truth.movement_change(OPERATOR, transaction, reference=row["client_reference"], **facts),
            self._phones.wallet_change(phone, self._phones.balance(phone) - amount),
        )
        self._webhook.announce(
            account, phone, _fault_reference(row), "checkout.session.completed", public(complete)
        )
        return complete

    def pay(self, account: WaveAccount, phone: str, amount: int, at: datetime | None = None) -> str:
        """Moves an unsolicited payment to the merchant and sends `merchant.payment_received`.

        A payment `at` an earlier moment is listed late, among the lines of that time.
        """
        with self._kernel.lock:
            if self._phones.balance(phone) < amount:
                raise Refusal(
                    409, f"the wallet of {phone} holds less than {amount}", "set its balance, or pay less"
                )
            now = iso(at or self._kernel.clock.now())
            transaction = f"T_{random_name(CAPITALS, 11)}"
            facts = {
                "account": account.account,
                "payer": phone,
                "amount": amount,
                "currency": account.currency,
                "at": now,
            }
            self._kernel.journal.put(
                (
                    "wave.line",
                    transaction,
                    self._line(account, transaction, "merchant_payment", amount, phone, now),
                ),
                self._truth.movement_change(OPERATOR, transaction, reference=None, **facts),
                self._phones.wallet_change(phone, self._phones.balance(phone) - amount),
            )
        event = {
            "id": transaction,
            "amount": str(amount),
            "currency": account.currency,
            "sender_mobile": phone,
            "merchant_id": account.merchant_id,
            "when_created": now,
        }
        self._webhook.announce(account, phone, transaction, "merchant.payment_received", event)
        return transaction

    # --- lines

    def _line(
        self, account: WaveAccount, transaction: str, kind: str, gross: int, phone: str, at: str
    ) -> Row:
        """Returns a transaction line. `amount` is gross less fee, the wallet's change, as Wave documents."""
        fee = abs(gross) * account.fee_permille // 1000 * (1 if gross > 0 else -1)
        return {
            "timestamp": at,
            "transaction_id": transaction,
            "transaction_type": kind,
            "amount": str(gross - fee),
            "fee": str(fee),
            "balance": str(self._balances.get(account.account, 0) + gross - fee),
            "currency": account.currency,
            "is_reversal": gross < 0,
            "counterparty_name": "Client de démonstration",
            "counterparty_mobile": phone,
            "client_reference": None,
            "payment_reason": None,
            "checkout_api_session_id": None,
            "_account": account.account,
        }

    def lines(self, account: str, date: str) -> list[Row]:
        """Returns the lines of a UTC day, oldest first."""
        with self._kernel.lock:
            return [public(row) for row in self._days.get((account, date), [])]

    def balance(self, account: str) -> int:
        return self._balances.get(account, 0)

    def reverse(self, transaction: str, account: str | None = None, units: int | None = None) -> Row:
        """Gives `units` of a payment back (default: all that is left). Nothing left: nothing changes.

        The reversal is a line of its own with a new transaction_id, `is_reversal` true, the original's
        `client_reference` and `checkout_api_session_id`, and `payment_reason` `Refund of <original id>`
        (assumed: no documented field names the original).
        """
        with self._kernel.lock:
            movement = self._truth.find(OPERATOR, transaction)
            if movement is None or account not in (None, movement["account"]):
                raise Refusal(404, f"no Wave transaction {transaction!r}", "take one from /truth")
            left = movement["amount"] - movement["returned"]
            if not left:
                return movement
            units = min(units or left, left)
            merchant, now = self.accounts[movement["account"]], iso(self._kernel.clock.now())
            original = self._kernel.journal.get("wave.line", transaction) or {}
            key, kind = f"T_{random_name(CAPITALS, 11)}", f"{original['transaction_type']}_refund"
            line = self._line(merchant, key, kind, -units, movement["payer"], now)
            line |= {name: original[name] for name in ("client_reference", "checkout_api_session_id")}
            line["payment_reason"] = f"Refund of {transaction}"
            self._kernel.journal.put(
                ("wave.line", key, line),
                self._truth.reversal_change(movement, now, units),
                self._phones.wallet_change(
                    movement["payer"], self._phones.balance(movement["payer"]) + units
                ),
            )
            return self._truth.find(OPERATOR, transaction) or movement


def public(row: Row) -> Row:
    """Returns a row as Wave sends it: without our own `_` keys."""
    return {name: value for name, value in row.items() if not name.startswith("_")}


def _fault_reference(row: Row) -> str:
    """Returns the key of this payment among the payer's for fault draws; request and webhooks share it."""
    return str(row["client_reference"] or row["id"])


def _append_once(index: dict[Any, list[str]], key: Any, value: str) -> None:
    values = index.setdefault(key, [])
    if value not in values:
        values.append(value)
