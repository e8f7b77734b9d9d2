"""The pretend world in its own process, which is told its time; what it does by itself is asked for, letter
by letter."""

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import httpx

from proving.simulator.timeline import Timeline
from proving.stage import state
from proving.stage.children import Child
from proving.stage.stage import ROOT, answers_ok, neutral_env

FAULTS = ("duplicate", "drop", "delay", "reorder", "timeout_before", "timeout_after", "http_500")


@dataclass(frozen=True)
class Letter:
    """A callback to carry to the product."""

    what: str
    method: str
    url: str
    headers: dict[str, str]
    body: str


class Refused(Exception):
    """The pretend world does not do that: the prompt is gone, the wallet is empty."""


class Outside:
    """A started sandbox. Its clock is brought to ours before anything is asked of it."""

    def __init__(self, timeline: Timeline, state_dir: Path, port: int, config: dict[str, Any]) -> None:
        self._timeline, self._port = timeline, port
        self.url = f"http://127.0.0.1:{port}"
        self._http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        path = state_dir / f"sandbox-{port}.json"
        state.write_private(path, config)
        order = [sys.executable, "-m", "sandbox", str(path)]
        log = state_dir / "logs" / "sandbox.log"
        self._child = Child("sandbox", order, env=neutral_env(state_dir), cwd=ROOT, log=log)
        self._answered: int | None = None
        self._told: datetime | None = None
        self._next: datetime | None = None
        self.moved_at = timeline.now
        self.unsure = True  # whether something may have put a letter on the road since we looked

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

    def go_on(self, until: datetime) -> Letter | None:
        """Let time pass to the next letter that is due by `until`, or to `until`. Quiet hours are not even
        told."""
        quiet = not self.unsure and self._answered is None
        if quiet and (self._next is None or self._next > until):
            self._timeline.now = until
            return None
        said = self._post("/outgoing/next", {"until": until.isoformat(), "answered": self._answered})
        self._answered, self.unsure = None, False
        self._told = self._timeline.now = datetime.fromisoformat(said["now"])
        self._next = datetime.fromisoformat(said["next"]) if said["next"] else None
        return Letter(**said["letter"]) if said["letter"] else None

    def answered(self, status: int) -> None:
        """What the product answered to the letter that was handed out; 0 when it was gone."""
        self._answered = status

    def tell(self) -> None:
        """Bring its clock to ours; somebody is about to speak to it."""
        if self._told != self._timeline.now:
            self._post("/clock", {"now": self._timeline.now.isoformat()})
            self._told = self._timeline.now
        self.unsure = True

    def prompts(self, phone: str) -> list[dict[str, Any]]:
        self.tell()
        return list(self._get(f"/phones/{phone}/prompts"))

    def answer(self, phone: str, prompt: str, answer: str) -> str:
        """The subscriber's answer; the operator's word for what became of it. Refused when the prompt is
        gone."""
        self.tell()
        self.moved_at = self._timeline.now
        return str(self._post(f"/phones/{phone}/prompts/{prompt}", {"answer": answer})["status"])

    def pay(self, operator: str, account: str, phone: str, amount: int) -> str:
        """An unsolicited payment; its transaction."""
        self.tell()
        self.moved_at = self._timeline.now
        said = {"from": phone, "to": account, "amount": amount}
        return str(self._post(f"/operators/{operator}/pay", said)["transaction"])

    def reverse(self, operator: str, transaction: str) -> None:
        self.tell()
        self.moved_at = self._timeline.now
        self._post(f"/operators/{operator}/reverse", {"transaction": transaction})

    def wallet(self, phone: str, balance: int) -> None:
        self._post(f"/phones/{phone}/wallet", {"balance": balance})

    def faults(self, plan: dict[str, float | int]) -> None:
        """Begin a new run of faults; ordinals and counts start again."""
        self._post("/faults", plan)

    def struck(self) -> list[dict[str, Any]]:
        return list(self._get("/faults/struck"))

    def truth(self) -> list[dict[str, Any]]:
        """Every franc that really moved."""
        return list(self._get("/truth"))

    def _post(self, path: str, said: dict[str, Any]) -> Any:
        return _told(self._http.post(path, json=said))

    def _get(self, path: str) -> Any:
        return _told(self._http.get(path))


def _told(answer: httpx.Response) -> Any:
    if answer.status_code == 409:
        raise Refused(answer.text)
    answer.raise_for_status()
    return answer.json()
