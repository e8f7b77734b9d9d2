"""Consents: what a head of household agrees to when somebody signs the household up, by the version that is
kept with it."""

from collections.abc import Mapping

from menus import texts

AGENT = (
    "agent-2026-11"  # of the words in use; they say more than `join.consent`, because names are noted, too
)
CATALOGUES: Mapping[str, texts.Catalogue] = {
    language: texts.read(language, "consents") for language in texts.LANGUAGES
}


def sentence(language: str) -> str:
    """What is read aloud today."""
    return CATALOGUES[language][AGENT]
