"""Keeps MTN MoMo's requests to pay, the subscribers' answers, and the one callback of each request."""

import json
from datetime import timedelta
from typing import Any

from sandbox.callback_sender import Callback
from sandbox.clock import iso, parse
from sandbox.fault_draws import Subject
from sandbox.journal import Row
from sandbox.kernel import Kernel, random_name
from sandbox.phones import Phones
from sandbox.refusal import Refusal
from sandbox.settings import MtnAccount
from sandbox.truth import Truth

OPERATOR = "mtn"
APPROVAL_LIFE = timedelta(minutes=5)


class MtnBook:
    """A request row is the status answer plus our own keys with `_`. Row keys are `account/reference id`."""

    def __init__(self, kernel: Kernel, phones: Phones, truth: Truth) -> None:
        self._kernel = kernel
        self._phones = phones
        self._truth = truth
        self.accounts = {account.account: account for account in kernel.settings.mtn}
        self._pending: dict[str, set[str]] = {}
        self._keys: dict[str, str] = {}
        kernel.journal.watch("mtn.request", self._index)

    def _index(self, key: str, row: Row) -> None:
        pending = self._pending.setdefault("+" + row["payer"]["partyId"], set())
        (pending.add if row["status"] == "PENDING" else pending.discard)(key)
        self._keys[row["_reference"]] = key

    def find(self, account: str, reference: str) -> Row | None:
        with self._kernel.lock:
            row = self._kernel.journal.get("mtn.request", f"{account}/{reference}")
            return self._expire_if_due(row) if row else None

    def request(
        self, account: MtnAccount, reference: str, payload: dict[str, Any], callback: str | None
    ) -> bool:
        """Puts a prompt on the payer's phone. Returns False when the reference id was used before."""
        key = f"{account.account}/{reference}"
        row = {
            **{
                name: payload.get(name, "")
                for name in ("externalId", "amount", "currency", "payer", "payerMessage", "payeeNote")
            },
            "status": "PENDING",
            "_reference": reference,
            "_account": account.account,
            "_callback": callback,
            "_at": iso(self._kernel.clock.now()),
            "_ignored": False,
        }
        with self._kernel.lock:
            if self._kernel.journal.get("mtn.request", key):
                return False
            self._kernel.journal.put(("mtn.request", key, row))
        return True

    def for_phone(self, phone: str) -> list[Row]:
        """Returns requests that wait for this phone's answer, oldest first."""
        with self._kernel.lock:
            rows = [
                self._kernel.journal.get("mtn.request", key) for key in sorted(self._pending.get(phone, ()))
            ]
            aged = [self._expire_if_due(row) for row in rows if row]
        return sorted(
            (row for row in aged if row["status"] == "PENDING" and not row["_ignored"]),
            key=lambda row: row["_at"],
        )

    def approve(self, reference: str, phone: str, amount: int | None = None) -> Row:
        """The subscriber typed the PIN: moves the money, or fails the request when the wallet is short.

        `amount` is what moves, by the operator's fault, instead of what was asked for.
        """
        with self._kernel.lock:
            row = self._answerable(reference, phone)
            if amount is not None:
                row = {**row, "amount": str(amount)}
            amount = int(row["amount"])
            if self._phones.balance(phone) < amount:
                return self._fail(row, "NOT_ENOUGH_FUNDS")
            transaction = str(random_name("123456789", 1) + random_name("0123456789", 9))
            now = iso(self._kernel.clock.now())
            successful = {
                "financialTransactionId": transaction,
                **row,
                "status": "SUCCESSFUL",
                "_finished": now,
            }
            facts = {
                "account": row["_account"],
                "payer": phone,
                "amount": amount,
                "currency": row["currency"],
                "at": now,
            }
            self._kernel.journal.put(
                ("mtn.request", self._key(row), successful),
                self._truth.movement_change(
                    OPERATOR, transaction, reference=reference, external=row["externalId"], **facts
                ),
                self._phones.wallet_change(phone, self._phones.balance(phone) - amount),
            )
            self._call_back(successful)
            return successful

    def decline(self, reference: str, phone: str) -> Row:
        with self._kernel.lock:
            return self._fail(self._answerable(reference, phone), "APPROVAL_REJECTED")

    def ignore(self, reference: str, phone: str) -> None:
        """Hides the prompt without an answer; the request fails when its 5 minutes are over."""
        with self._kernel.lock:
            row = self._answerable(reference, phone)
            self._kernel.journal.put(("mtn.request", self._key(row), {**row, "_ignored": True}))

    def expire_due(self) -> None:
        with self._kernel.lock:
            for key in sorted(key for keys in self._pending.values() for key in keys):
                row = self._kernel.journal.get("mtn.request", key)
                if row:
                    self._expire_if_due(row)

    def _answerable(self, reference: str, phone: str) -> Row:
        key = self._keys.get(reference)
        row = self._kernel.journal.get("mtn.request", key) if key else None
        if row is None or "+" + row["payer"]["partyId"] != phone:
            raise Refusal(404, f"no request {reference!r} waits on {phone}", "list the phone's prompts again")
        row = self._expire_if_due(row)
        if row["status"] != "PENDING":
            raise Refusal(409, f"this request is {row['status']}", "ask for a new one")
        return row

    def _expire_if_due(self, row: Row) -> Row:
        if row["status"] == "PENDING" and self._kernel.clock.now() >= parse(row["_at"]) + APPROVAL_LIFE:
            return self._fail(row, "COULD_NOT_PERFORM_TRANSACTION")
        return row

    def _fail(self, row: Row, reason: str) -> Row:
        failed = {**row, "status": "FAILED", "reason": reason, "_finished": iso(self._kernel.clock.now())}
        self._kernel.journal.put(("mtn.request", self._key(row), failed))
        self._call_back(failed)
        return failed

    def _key(self, row: Row) -> str:
        return f"{row['_account']}/{row['_reference']}"

    def _call_back(self, row: Row) -> None:
        """Sends one unsigned callback without the reference id, as MTN does. PUT and POST alternate."""
        if not row["_callback"]:
            return
        account = self.accounts[row["_account"]]
        subject = Subject(OPERATOR, account.account, "+" + row["payer"]["partyId"], row["_reference"])
        alternate = "PUT" if self._kernel.faults.ordinal(subject) % 2 else "POST"
        method = alternate if account.callback_method == "alternate" else account.callback_method
        body = json.dumps(status_answer(row, account), separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        self._kernel.callbacks.post(
            Callback(subject, "mtn.callback", row["_callback"], body, lambda _: headers, method=method)
        )


def status_answer(row: Row, account: MtnAccount) -> Row:
    """Returns a request as MTN sends it: no `_` keys; `reason` only on failure, in the account's form."""
    shown = {name: value for name, value in row.items() if not name.startswith("_")}
    if "reason" in shown and account.reason_form == "object":
        shown["reason"] = {"code": shown["reason"], "message": shown["reason"].replace("_", " ").capitalize()}
    return shown
