"""The words of an SMS: what the domain wants said, in the reader's language and in letters that stay in
GSM-7."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from menus import reminder_words, texts, values
from mutuelle.messaging import gsm7
from mutuelle.money import Money

CATALOGUES = {language: texts.read(language, "sms") for language in texts.LANGUAGES}
# These also say what the balance opens, and from when.
WITH_RIGHTS = frozenset(
    {"receipt", "reversed", "refunded", "corrected", "sponsored", "adjusted-more", "adjusted-less"}
)
KEEP = "right.keep"
DAYS = ("deadline", "proof_until", "covered_from", "covered_until")
AMOUNTS = ("amount", "owed", "left", "to_open", "credit")


def compose(kind: str, facts: Mapping[str, Any], *, language: str, currency: str, mutuelle: str) -> str:
    """The text of one message. `facts` hold whole units, ISO dates and the member number; no illness word is
    ever in it."""
    words = CATALOGUES.get(language) or CATALOGUES[texts.LANGUAGES[0]]
    if kind == "reminder":
        return reminder_words.compose(words, facts, currency=currency, mutuelle=mutuelle)
    told = {"mutuelle": mutuelle, **facts}
    told |= {name: str(Money(told[name], currency)) for name in AMOUNTS if name in told}
    told |= {name: values.day(told[name]) for name in DAYS if name in told}
    kind = "welcome-covered" if kind == "welcome" and "covered_from" in facts else kind
    parts = [kind, f"because.{facts['because']}"] if facts.get("because") else [kind]
    if kind in WITH_RIGHTS:
        parts += _rights(facts, told)
    return _fitted(words, parts, told)


def _fitted(words: Mapping[str, str], parts: list[str], told: dict[str, Any]) -> str:
    """One SMS of one part: when it is long, what keeps the cover open gives way, then the end of the
    mutuelle's name."""
    told["mutuelle"] = gsm7.fold(str(told["mutuelle"]), unknown="?")
    while True:
        text = gsm7.fold(" ".join(words[part].format_map(told) for part in parts))
        over = gsm7.septets(text) - reminder_words.ROOM
        if over <= 0:
            return text
        if KEEP in parts:
            parts.remove(KEEP)
            continue
        name = told["mutuelle"]
        shorter = reminder_words.cut(name, max(reminder_words.NAME_MIN, gsm7.septets(name) - over))
        if shorter == name:
            return text
        told["mutuelle"] = shorter


def _rights(facts: Mapping[str, Any], told: dict[str, Any]) -> list[str]:
    """Which lines say the state of rights; fills the dates they need."""
    told["until"] = values.day(facts["until"])
    lines = []
    match facts["state"]:
        case "open":
            lines += ["right.open", KEEP] if facts["to_open"] else ["right.open"]
        case "waiting" if facts["until"]:
            told["opens"] = values.day(date.fromisoformat(facts["until"]) + timedelta(days=1))
            lines.append("right.waiting")
        case _ if facts["to_open"]:
            lines.append("right.part-paid" if facts["state"] == "part-paid" else "right.closed")
    return [*lines, "credit"] if facts["credit"] else lines
