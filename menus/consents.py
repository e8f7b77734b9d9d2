"""The consent that a head of household gives when an agent enrols the household, by version.

The version is stored with the household.
"""

from collections.abc import Mapping

from menus import texts

# The version in use. It says more than `join.consent`, because an agent also records names.
AGENT = "agent-2026-11"
CATALOGUES: Mapping[str, texts.Catalogue] = {
    language: texts.read(language, "consents") for language in texts.LANGUAGES
}


def sentence(language: str) -> str:
    """Returns the consent in use, which the agent reads aloud."""
    return CATALOGUES[language][AGENT]
