"""Writes the text of an SMS from its kind and facts, in the reader's language and in GSM-7 letters."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from menus import reminder_words, texts, values
from mutuelle.cover.household_rights import RightsState
from mutuelle.messaging import gsm7
from mutuelle.messaging.messages import MessageKind
from mutuelle.money import Money

CATALOGUES = {language: texts.read(language, "sms") for language in texts.LANGUAGES}
# The kinds that also say what the balance opens, and from when.
WITH_RIGHTS = frozenset(
    {"receipt", "reversed", "refunded", "corrected", "sponsored", "adjusted-more", "adjusted-less"}
)
KEEP = "right.keep"
DAYS = ("deadline", "proof_until", "covered_from", "covered_until")
AMOUNTS = ("amount", "owed", "left", "to_open", "credit")


def compose(kind: str, facts: Mapping[str, Any], *, language: str, currency: str, mutuelle: str) -> str:
    """Returns the text of one message.

    `facts` hold whole units, ISO dates and the member number. No word of the text is about illness.
    """
    words = CATALOGUES.get(language) or CATALOGUES[texts.LANGUAGES[0]]
    if kind == MessageKind.REMINDER:
        return reminder_words.compose(words, facts, currency=currency, mutuelle=mutuelle)
    filled = {"mutuelle": mutuelle, **facts}
    filled |= {name: str(Money(filled[name], currency)) for name in AMOUNTS if name in filled}
    filled |= {name: values.day(filled[name]) for name in DAYS if name in filled}
    kind = "welcome-covered" if kind == MessageKind.WELCOME and "covered_from" in facts else kind
    parts = [kind, f"because.{facts['because']}"] if facts.get("because") else [kind]
    if kind in WITH_RIGHTS:
        parts += _rights_lines(facts, filled)
    return _fit(words, parts, filled)


def _fit(words: Mapping[str, str], parts: list[str], filled: dict[str, Any]) -> str:
    """Returns the text as one SMS of one part.

    When it is too long, the line about keeping cover open is dropped, then the mutuelle's name is cut.
    """
    filled["mutuelle"] = gsm7.fold(str(filled["mutuelle"]), unknown="?")
    while True:
        text = gsm7.fold(" ".join(words[part].format_map(filled) for part in parts))
        over = gsm7.septets(text) - reminder_words.ROOM
        if over <= 0:
            return text
        if KEEP in parts:
            parts.remove(KEEP)
            continue
        name = filled["mutuelle"]
        shorter = reminder_words.cut_name(name, max(reminder_words.NAME_MIN, gsm7.septets(name) - over))
        if shorter == name:
            return text
        filled["mutuelle"] = shorter


def _rights_lines(facts: Mapping[str, Any], filled: dict[str, Any]) -> list[str]:
    """Returns the lines about the state of rights, and adds the dates they need to `filled`."""
    filled["until"] = values.day(facts["until"])
    lines = []
    match facts["state"]:
        case "open":
            lines += ["right.open", KEEP] if facts["to_open"] else ["right.open"]
        case "waiting" if facts["until"]:
            filled["opens"] = values.day(date.fromisoformat(facts["until"]) + timedelta(days=1))
            lines.append("right.waiting")
        case _ if facts["to_open"]:
            lines.append("right.part-paid" if facts["state"] == RightsState.PART_PAID else "right.closed")
    return [*lines, "credit"] if facts["credit"] else lines
