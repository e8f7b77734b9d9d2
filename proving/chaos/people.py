"""People with phones at the sandbox: they join, pay all or a part, change their minds, panic, and never lose
patience."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from proving.simulator import randomness

PAUSE_S = (0.3, 2.0)
MINDS = ("approve", "decline", "ignore")


@dataclass(frozen=True)
class Country:
    """A dialled code, and how its people join and what they pay."""

    code: str
    prefix: str
    digits: int
    join: str
    sums: tuple[int, ...]
    wallet: str = ""  # the merchant account strangers may pay to without being asked

    @property
    def dial(self) -> str:
        return self.code.removesuffix("#")


COUNTRIES = (
    Country("*384*55#", "+22177", 7, "3*1*1*2*1*808512", (1_000, 3_000, 5_500), "SN-DIENDER"),
    Country("*384*56#", "+25078", 7, "3*1*3*2*1*808512", (3_000, 6_000)),
)


@dataclass
class Told:
    """What people were told had been done, which must then be so; and how often they heard what."""

    members: set[str] = field(default_factory=set)
    askers: Counter[str] = field(default_factory=Counter)
    heard: Counter[str] = field(default_factory=Counter)
    strangers: int = 0


class Person(threading.Thread):
    """One after the other, households of one country: each joins, then pays until nothing is owed or it is
    tired of it."""

    def __init__(self, number: int, seed: int, sandbox_url: str, told: Told, over: threading.Event) -> None:
        super().__init__(name=f"person-{number}", daemon=True)
        self._chance = randomness.of(f"person {number}", seed)
        self._country = COUNTRIES[number % len(COUNTRIES)]
        self._number, self._households = number, 0
        self._told, self._over = told, over
        self._http = httpx.Client(base_url=sandbox_url, timeout=15, trust_env=False)

    def run(self) -> None:
        with self._http:
            while not self._over.is_set():
                try:
                    self._one_household()
                except httpx.HTTPError:
                    self._pause()

    def _one_household(self) -> None:
        """Join, however often it takes; then some payments."""
        self._households += 1
        country = self._country
        phone = country.prefix + str(self._number * 1_000 + self._households).zfill(country.digits)
        while phone not in self._told.members:
            self._dial(phone, country.join)
            said = self._say(phone, "reply", input="1")
            if "Bienvenue" in said or self._dial(phone, "2*1").startswith("Payer"):
                self._told.members.add(phone)
            if self._pause():
                return
        for _ in range(self._chance.randint(1, 4)):
            self._pay(phone)
            if self._pause():
                return
        if country.wallet and self._chance.random() < 0.2:
            self._post("/operators/wave/pay", {"from": phone, "to": country.wallet, "amount": 500})
            self._told.strangers += 1

    def _pay(self, phone: str) -> None:
        """All or a part; in a panic twice at once. Then the prompt, if it comes."""
        part = self._chance.random() < 0.6
        shortcut = f"2*2*{self._chance.choice(self._country.sums)}" if part else "2*1"
        for _ in range(1 + (self._chance.random() < 0.2)):
            if not self._dial(phone, shortcut).startswith("Payer"):
                continue
            said = self._say(phone, "reply", input="1")
            if "Demande envoyée" in said or "lien Wave" in said:
                self._told.askers[phone] += 1
        for _ in range(self._chance.randint(1, 12)):
            prompts = self._http.get(f"/phones/{phone}/prompts").json()
            if prompts:
                answer = self._chance.choices(MINDS, (8, 1, 1))[0]
                self._post(f"/phones/{phone}/prompts/{prompts[0]['id']}", {"answer": answer})
                return
            if self._pause():
                return

    def _dial(self, phone: str, shortcut: str) -> str:
        return self._say(phone, "dial", code=f"{self._country.dial}*{shortcut}#")

    def _say(self, phone: str, what: str, **said: str) -> str:
        """The screen; empty when the aggregator was given none."""
        seen = self._post(f"/phones/{phone}/{what}", said)
        screen = "" if seen.get("error") else str(seen.get("screen", ""))
        sorry = "indisponible" in screen or "vérifions" in screen
        self._told.heard["sorry" if sorry else "screen" if screen else "nothing"] += 1
        return screen

    def _post(self, path: str, said: dict[str, Any]) -> dict[str, Any]:
        return dict(self._http.post(path, json=said).json())

    def _pause(self) -> bool:
        """A moment to think; whether it is time to go home."""
        return self._over.wait(self._chance.uniform(*PAUSE_S))
