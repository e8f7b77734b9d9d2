"""Simulates people with phones at the sandbox, who join, pay all or a part, decline, and repeat requests."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from proving.simulator import randomness
from sandbox import http_client

PAUSE_S = (0.3, 2.0)
PROMPT_ANSWERS = ("approve", "decline", "ignore")


@dataclass(frozen=True)
class Country:
    """A dialled code, and how its people join and what they pay."""

    code: str
    prefix: str
    digits: int
    join: str
    sums: tuple[int, ...]
    wallet: str = ""  # the merchant account for unsolicited payments

    @property
    def dial(self) -> str:
        return self.code.removesuffix("#")


COUNTRIES = (
    Country("*384*55#", "+22177", 7, "3*1*1*2*1*808512", (1_000, 3_000, 5_500), "SN-DIENDER"),
    Country("*384*56#", "+25078", 7, "3*1*3*2*1*808512", (3_000, 6_000)),
)


@dataclass
class ShownResults:
    """What screens promised people, which must then be true; and counts of screens."""

    members: set[str] = field(default_factory=set)
    payment_requests: Counter[str] = field(default_factory=Counter)
    screens: Counter[str] = field(default_factory=Counter)
    strangers: int = 0


class Person(threading.Thread):
    """Plays households of one country one after the other: each joins, then makes some payments."""

    def __init__(
        self, number: int, seed: int, sandbox_url: str, shown: ShownResults, over: threading.Event
    ) -> None:
        super().__init__(name=f"person-{number}", daemon=True)
        self._chance = randomness.of(f"person {number}", seed)
        self._country = COUNTRIES[number % len(COUNTRIES)]
        self._number, self._households = number, 0
        self._shown, self._over = shown, over
        self._http = http_client.client(base_url=sandbox_url, timeout=15)

    def run(self) -> None:
        with self._http:
            while not self._over.is_set():
                try:
                    self._one_household()
                except httpx.HTTPError:
                    self._pause()

    def _one_household(self) -> None:
        """Joins, with as many tries as needed, then makes some payments."""
        self._households += 1
        country = self._country
        phone = country.prefix + str(self._number * 1_000 + self._households).zfill(country.digits)
        while phone not in self._shown.members:
            self._dial(phone, country.join)
            screen = self._say(phone, "reply", input="1")
            if "Bienvenue" in screen or self._dial(phone, "2*1").startswith("Payer"):
                self._shown.members.add(phone)
            if self._pause():
                return
        for _ in range(self._chance.randint(1, 4)):
            self._pay(phone)
            if self._pause():
                return
        if country.wallet and self._chance.random() < 0.2:
            self._post("/operators/wave/pay", {"from": phone, "to": country.wallet, "amount": 500})
            self._shown.strangers += 1

    def _pay(self, phone: str) -> None:
        """Pays all or a part, sometimes twice at once, and answers the prompt if it comes."""
        part = self._chance.random() < 0.6
        shortcut = f"2*2*{self._chance.choice(self._country.sums)}" if part else "2*1"
        for _ in range(1 + (self._chance.random() < 0.2)):
            if not self._dial(phone, shortcut).startswith("Payer"):
                continue
            screen = self._say(phone, "reply", input="1")
            if "Demande envoyée" in screen or "lien Wave" in screen:
                self._shown.payment_requests[phone] += 1
        for _ in range(self._chance.randint(1, 12)):
            prompts = self._http.get(f"/phones/{phone}/prompts").json()
            if prompts:
                answer = self._chance.choices(PROMPT_ANSWERS, (8, 1, 1))[0]
                self._post(f"/phones/{phone}/prompts/{prompts[0]['id']}", {"answer": answer})
                return
            if self._pause():
                return

    def _dial(self, phone: str, shortcut: str) -> str:
        return self._say(phone, "dial", code=f"{self._country.dial}*{shortcut}#")

    def _say(self, phone: str, what: str, **payload: str) -> str:
        """Returns the screen, empty when the product gave none."""
        session = self._post(f"/phones/{phone}/{what}", payload)
        screen = "" if session.get("error") else str(session.get("screen", ""))
        apology = "indisponible" in screen or "vérifions" in screen
        self._shown.screens["sorry" if apology else "screen" if screen else "nothing"] += 1
        return screen

    def _post(self, path: str, payload: dict[str, Any]) -> dict[str, Any]:
        return dict(self._http.post(path, json=payload).json())

    def _pause(self) -> bool:
        """Waits a moment. Returns whether the run is over."""
        return self._over.wait(self._chance.uniform(*PAUSE_S))
