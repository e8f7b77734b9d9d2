"""Simulates farmers with habits and their phones, as generators; each yield is a wait in seconds."""

import random
import re
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from proving.demo.demo import DemoMutuelle
from proving.simulator import randomness
from proving.simulator.outside import Rejection, SandboxProcess
from proving.simulator.plan import STEP, PersonPlan
from proving.simulator.product import Product
from proving.simulator.timeline import Steps, Timeline

UNDER_WAY = "en cours ("
# Nothing is owed; or unsolicited money came between the first screen and the Confirm, so that less is owed.
PAID_MEANWHILE = ("Rien à payer", "plus rien à payer", "plus que ce qui reste")
# What only members see. The last three answer a shortcut that was dialled to join: its first digits, in
# a member's menus, lead to the payment of the bill, and a shortcut stops at a Confirm.
SEEN_BY_MEMBERS = (
    "Numéro de membre",
    "Déjà membre",
    "Votre paiement n'est pas fini",
    " avec Wave ?",
    " avec MTN MoMo ?",
)
OWED = re.compile(r"Reste à payer: ([0-9 ]+)")
Talk = Generator[float, None, str]
NOW = timedelta(0)
LISTED_LATE = 0.2  # share of unsolicited payments that the list shows hours later, among older lines
OTHER_AMOUNT = 0.02  # share of approvals that move another amount than was asked for


class BrokenPromise(Exception):
    """The product broke a promise."""


@dataclass
class Simulation:
    """What all people share, with the simulator's record of what unsolicited money was meant for."""

    timeline: Timeline
    outside: SandboxProcess
    product: Product
    ussd_url: str
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    # transaction -> (phone, place, registered)
    meant: dict[str, tuple[str, DemoMutuelle, bool]] = field(default_factory=dict)
    sessions: int = 0


class UssdPhone:
    """A phone that dials one mutuelle. It repeats some turns, and requires the same answer."""

    def __init__(self, world: Simulation, phone: str, place: DemoMutuelle, luck: random.Random) -> None:
        self._world, self._phone, self._place, self._chance = world, phone, place, luck
        self._session, self._typed = "", list[str]()
        self.open = False

    def dial(self, shortcut: str = "") -> str:
        """Returns the first screen, or a later one by a shortcut; "" when the product crashed."""
        self._world.sessions += 1
        self._session = f"ATUid_{self._world.sessions:032x}"
        self._typed = shortcut.split("*") if shortcut else []
        return self._send_turn()

    def type(self, answer: str) -> str:
        self._typed.append(answer)
        return self._send_turn()

    def _send_turn(self) -> str:
        form = {
            "sessionId": self._session,
            "phoneNumber": self._phone,
            "networkCode": "99999",
            "serviceCode": self._place.dial,
            "text": "*".join(self._typed),
        }
        status, body = self._world.product.post("POST", self._world.ussd_url, body=form)
        if status and self._chance.random() < 0.1:
            self._world.counts["repeated_hop"] += 1
            again, same = self._world.product.post("POST", self._world.ussd_url, body=form)
            if again and (again, same) != (status, body):
                raise BrokenPromise(
                    f"a repeated hop of {self._session} was answered otherwise: {body!r}, then {same!r}"
                )
        if status == 0:
            self.open = False
            return ""
        if status != 200 or body[:4] not in ("CON ", "END "):
            raise BrokenPromise(f"session {self._session}: HTTP {status} {body[:80]!r}")
        self.open = body.startswith("CON ")
        return body[4:]

    def end(self) -> None:
        """Sends the aggregator's report of the session's end."""
        now = self._world.timeline.now
        form = {
            "date": now.strftime("%Y-%m-%d %H:%M:%S"),
            "sessionId": self._session,
            "serviceCode": self._place.dial,
            "networkCode": "99999",
            "phoneNumber": self._phone,
            "status": "Incomplete" if self.open else "Success",
            "cost": "KES 0.10",
            "durationInMillis": "20000",
            "hopsCount": str(len(self._typed) + 1),
        }
        self._world.product.post("POST", self._world.ussd_url + "/events", body=form)


class Caller:
    """A person who recognises screens, with a phone and a source of randomness."""

    def __init__(self, world: Simulation, person: PersonPlan) -> None:
        self.world, self.person, self.chance = world, person, randomness.of(person.name, world.seed)
        self.choose(person.place)

    def choose(self, place: DemoMutuelle) -> None:
        """Uses this mutuelle from now on."""
        self.place = place
        self.category = self.person.category if place is self.person.place else 1
        self.handset = UssdPhone(self.world, self.person.phone, place, self.chance)

    def until(self, when: datetime) -> float:
        return max(0.0, (when - self.world.timeline.now).total_seconds())

    def talk(self, answer_to: Callable[[str], str | None], shortcut: str = "", hops: int = 15) -> Talk:
        """Dials and answers until the session ends, `answer_to` returns None, or after `hops` turns."""
        screen = self.handset.dial(shortcut)
        for _ in range(hops):
            if not self.handset.open:
                break
            yield self.chance.uniform(2, 9)
            answer = answer_to(screen)
            if answer is None:
                break
            screen = self.handset.type(answer)
        if self.chance.random() < 0.25:
            self.handset.end()
        return screen


class Farmer(Caller):
    """Joins, then pays in parts, each time by another habit."""

    def live(self) -> Steps:
        yield self.until(self.person.joins)
        yield from self.join()
        if self.person.second:
            yield self.chance.uniform(60, 3600)
            self.choose(self.person.second)
            yield from self.join()
        for act in self.person.acts:
            yield self.until(act)
            self.choose(self.chance.choice((self.person.place, self.person.second or self.person.place)))
            yield from self.habit()

    def join(self) -> Steps:
        """Joins. Sometimes the line drops; after a redial the dialogue goes on or starts again."""
        for attempt in range(8):
            drops = attempt == 0 and self.chance.random() < 0.12
            person, shortcut = self.person, ""
            if not drops and self.chance.random() < 0.6:
                shortcut = f"3*1*{self.category}*{person.adults}*{person.children}*{person.years}"
            screen = yield from self.talk(self._joining, shortcut, self.chance.randint(1, 6) if drops else 15)
            if any(words in screen for words in SEEN_BY_MEMBERS):
                return
            self.world.counts["hung_up"] += drops
            yield self.chance.uniform(20, 1200)
        raise BrokenPromise(f"{self.person.name} cannot join: {screen!r}")

    def _joining(self, screen: str) -> str | None:
        person = self.person
        answers = (
            ("adhésion n'est pas finie", self.chance.choice("12")),
            *((words, None) for words in SEEN_BY_MEMBERS),
            ("3. Adhérer", "3"),
            ("D'accord ?", "1"),
            ("Votre ménage ?", str(self.category)),
            ("Combien d'adultes", str(person.adults)),
            ("Combien d'enfants", str(person.children)),
            ("Tapez 2 chiffres", person.years),
            ("1. Continuer", "1"),
            ("1. J'adhère", "1"),
        )
        return next((answer for words, answer in answers if words in screen), None)

    def habit(self) -> Steps:
        """Does one act of a market day: pays, requested or unsolicited."""
        draw = self.chance.random()
        if self.place.operator == "wave" and draw < 0.12:
            self.pay_unasked(self.person.phone, registered=True)
        elif self.place.operator == "wave" and draw < 0.17:
            self.pay_unasked(self.person.relative, registered=False)
        else:
            yield from self.pay()

    def pay_unasked(self, phone: str, registered: bool, amount: int = 0) -> None:
        """Pays the merchant code without a request, from their own phone or an unregistered relative's."""
        place = self.place
        amount = amount or self.chance.randrange(1, 40) * 250
        late = timedelta(minutes=self.chance.randint(10, 300)) if self.chance.random() < LISTED_LATE else NOW
        transaction = self.world.outside.pay(place.operator, place.code, phone, amount, late)
        self.world.counts["listed_late"] += bool(late)
        self.world.meant[transaction] = (self.person.phone, place, registered)
        self.world.counts["unasked" if registered else "unasked_unregistered"] += 1

    def pay(self) -> Steps:
        """Requests a payment by USSD and answers it; some request again, and some also pay directly."""
        screen = ""
        for _ in range(4):
            drops = self.chance.random() < 0.08
            shortcut = self.chance.choice(("", "2", "2", "2*2", "2*2", "2*1"))
            hops = self.chance.randint(1, 3) if drops else 15
            screen = yield from self.talk(self._paying(), shortcut, hops)
            if UNDER_WAY in screen or (not self.handset.open and screen):
                break
            self.world.counts["hung_up"] += drops
            yield self.chance.uniform(20, 300)
        if any(words in screen for words in PAID_MEANWHILE):
            return
        if "SMS dira quand" not in screen and UNDER_WAY not in screen:
            raise BrokenPromise(f"{self.person.name} cannot pay: {screen!r}")
        if self.chance.random() < 0.12:
            yield from self._panic()
        yield from self.answer_prompts()

    def _paying(self) -> Callable[[str], str | None]:
        step, part = STEP[self.place.scheme], self.chance.choice((1, 1, 1, 2, 3, 4, 6))
        amount = step

        def answer(screen: str) -> str | None:
            nonlocal amount
            if match := OWED.search(screen):
                owed = int(match[1].replace(" ", ""))
                amount = max(step, owed // part // step * step)
                return "1" if part == 1 or amount >= owed else "2"
            answers = (
                ("n'est pas fini", self.chance.choice("12")),
                ("2. Payer", "2"),
                ("Montant", str(amount)),
                (" avec Wave ?", "1"),
                (" avec MTN MoMo ?", "1"),
            )
            return next((reply for words, reply in answers if words in screen), None)

        return answer

    def _panic(self) -> Steps:
        """Requests again before the first prompt, and perhaps pays directly as well."""
        self.world.counts["panic"] += 1
        yield self.chance.uniform(2, 40)
        yield from self.talk(self._paying(), "2")
        if self.place.operator == "wave" and self.chance.random() < 0.5:
            yield self.chance.uniform(5, 60)
            self.pay_unasked(self.person.phone, registered=True)

    def answer_prompts(self) -> Steps:
        """Answers the prompt, or the link that came by SMS, in one of several manners."""
        manner = self.chance.choices(
            ("at once", "late", "decline", "ignore", "poor", "other phone"), (70, 8, 7, 7, 4, 4)
        )[0]
        late = (200, 330) if self.place.operator == "mtn" else (1100, 1900)
        yield self.chance.uniform(*late) if manner == "late" else self.chance.uniform(3, 60)
        self.world.counts[manner] += 1
        for pause in (20, 40, 80, 160, 320, 640):
            if waiting := self.world.outside.prompts(self.person.phone):
                for prompt in waiting:
                    yield from self._answer(str(prompt["id"]), manner)
                return
            yield self.chance.uniform(pause, 2 * pause)

    def _answer(self, prompt: str, manner: str) -> Steps:
        outside, phone = self.world.outside, self.person.phone
        if manner == "poor":
            outside.wallet(phone, 20)
        try:
            if manner == "other phone" and self.place.operator == "wave":
                outside.answer(self.person.relative, prompt, "approve")  # the link is this payer's only
                yield self.chance.uniform(20, 90)
            answer = manner if manner in ("decline", "ignore") else "approve"
            outside.answer(phone, prompt, answer, self._other_amount() if answer == "approve" else None)
        except Rejection:
            self.world.counts["too_late"] += 1
        if manner == "poor":
            outside.wallet(phone, 10_000_000)

    def _other_amount(self) -> int | None:
        """Returns an amount that the operator moves by mistake instead of what was asked for, mostly None."""
        if self.chance.random() >= OTHER_AMOUNT:
            return None
        self.world.counts["other_amount"] += 1
        return self.chance.randrange(1, 60) * 100
