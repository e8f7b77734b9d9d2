"""Runs the sandbox in its own process with virtual time, and fetches its callbacks one by one."""

import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx

from proving.simulator.timeline import Timeline
from proving.stage import state
from proving.stage.children import Child
from proving.stage.stage import ROOT, answers_ok, neutral_env
from sandbox import http_client

FAULTS = ("duplicate", "drop", "delay", "reorder", "timeout_before", "timeout_after", "http_500")


@dataclass(frozen=True)
class OutgoingCallback:
    """A callback to carry to the product."""

    what: str
    method: str
    url: str
    headers: dict[str, str]
    body: str


class Rejection(Exception):
    """The sandbox answered 409: the prompt is gone, or the wallet is empty."""


class SandboxProcess:
    """A started sandbox. Its clock is set to ours before each request."""

    def __init__(self, timeline: Timeline, state_dir: Path, port: int, config: dict[str, Any]) -> None:
        self._timeline, self._port = timeline, port
        self.url = f"http://127.0.0.1:{port}"
        self._http = http_client.client(base_url=self.url, timeout=30)
        path = state_dir / f"sandbox-{port}.json"
        state.write_private(path, config)
        order = [sys.executable, "-m", "sandbox", str(path)]
        log = state_dir / "logs" / "sandbox.log"
        self._child = Child("sandbox", order, env=neutral_env(state_dir), cwd=ROOT, log=log)
        self._answered: int | None = None
        self._clock_set_to: datetime | None = None
        self._next: datetime | None = None
        self.moved_at = timeline.now
        self.unsure = True  # whether a callback may have been queued since the last `advance`

    def __enter__(self) -> Self:
        self._child.start()
        try:
            self._child.wait_until(lambda: answers_ok(self.url + "/health"), 30)
        except BaseException:
            self._child.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._child.stop(2)

    def advance(self, until: datetime) -> OutgoingCallback | None:
        """Moves time to the next callback due by `until` and returns it, or to `until`."""
        quiet = not self.unsure and self._answered is None
        if quiet and (self._next is None or self._next > until):
            self._timeline.now = until
            return None
        result = self._post("/outgoing/next", {"until": until.isoformat(), "answered": self._answered})
        self._answered, self.unsure = None, False
        self._clock_set_to = self._timeline.now = datetime.fromisoformat(result["now"])
        self._next = datetime.fromisoformat(result["next"]) if result["next"] else None
        return OutgoingCallback(**result["letter"]) if result["letter"] else None

    def record_answer(self, status: int) -> None:
        """Records the product's HTTP status for the last callback; 0: no answer."""
        self._answered = status

    def sync_clock(self) -> None:
        """Sets its clock to ours, before a request."""
        if self._clock_set_to != self._timeline.now:
            self._post("/clock", {"now": self._timeline.now.isoformat()})
            self._clock_set_to = self._timeline.now
        self.unsure = True

    def prompts(self, phone: str) -> list[dict[str, Any]]:
        self.sync_clock()
        return list(self._get(f"/phones/{phone}/prompts"))

    def answer(self, phone: str, prompt: str, answer: str, amount: int | None = None) -> str:
        """Answers a prompt. Returns the operator's status. Raises Rejection when the prompt is gone.

        `amount` is what the operator moves by a fault of its own, instead of what was asked for.
        """
        self._move()
        payload = {"answer": answer} | ({"amount": amount} if amount is not None else {})
        return str(self._post(f"/phones/{phone}/prompts/{prompt}", payload)["status"])

    def pay(
        self, operator: str, account: str, phone: str, amount: int, listed_late: timedelta = timedelta(0)
    ) -> str:
        """Makes an unsolicited payment, listed as of `listed_late` ago. Returns its transaction."""
        self._move()
        at = (self._timeline.now - listed_late).isoformat()
        payload = {"from": phone, "to": account, "amount": amount} | ({"at": at} if listed_late else {})
        return str(self._post(f"/operators/{operator}/pay", payload)["transaction"])

    def reverse(self, operator: str, transaction: str, amount: int | None = None) -> None:
        """Lets the operator take `amount` of a payment back (default: all that is left)."""
        self._move()
        payload = {"transaction": transaction} | ({"amount": amount} if amount is not None else {})
        self._post(f"/operators/{operator}/reverse", payload)

    def correct_fee(self, operator: str, transaction: str, fee: int) -> None:
        self._move()
        self._post(f"/operators/{operator}/fee", {"transaction": transaction, "fee": fee})

    def pay_out(self, operator: str, account: str, phone: str, amount: int) -> str:
        """Pays money out of a wallet. Returns the transaction. Raises Rejection when it holds less."""
        self._move()
        payload = {"from": account, "to": phone, "amount": amount}
        return str(self._post(f"/operators/{operator}/payout", payload)["transaction"])

    def wallet(self, phone: str, balance: int) -> None:
        self._post(f"/phones/{phone}/wallet", {"balance": balance})

    def faults(self, plan: dict[str, float | int | str]) -> None:
        """Starts a new run of faults; ordinals and counts start at zero."""
        self._post("/faults", plan)

    def struck(self) -> list[dict[str, Any]]:
        return list(self._get("/faults/struck"))

    def truth(self) -> list[dict[str, Any]]:
        """Returns all real movements."""
        return list(self._get("/truth"))

    def _move(self) -> None:
        """Notes that money moves now, so that the transaction lists are read soon."""
        self.sync_clock()
        self.moved_at = self._timeline.now

    def _post(self, path: str, payload: dict[str, Any]) -> Any:
        return _read_answer(self._http.post(path, json=payload))

    def _get(self, path: str) -> Any:
        return _read_answer(self._http.get(path))


def _read_answer(answer: httpx.Response) -> Any:
    if answer.status_code == 409:
        raise Rejection(answer.text)
    answer.raise_for_status()
    return answer.json()
