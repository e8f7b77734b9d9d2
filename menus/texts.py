"""The words that people read, by symbolic id and language, from the gettext catalogues.

French is a catalogue like the others. Catalogue strings hold placeholders (`{left}`) and never `CON`, `END`
or option numbers: the engine adds those.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import Formatter

from babel.messages.pofile import read_po

import config

Catalogue = Mapping[str, str]

LANGUAGES = ("fr", "en")
LOCALES = Path(config.__file__).parent / "locales"


def read(language: str, domain: str = "messages") -> Catalogue:
    """Returns the catalogue of `language`: id -> words.

    Leaves out the entries without words, so that a check reports them as missing. `domain` is `messages` for
    screens and `sms` for messages.
    """
    with (LOCALES / language / "LC_MESSAGES" / f"{domain}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    return {str(entry.id): str(entry.string) for entry in catalogue if entry.id and entry.string}


CATALOGUES: Mapping[str, Catalogue] = {language: read(language) for language in LANGUAGES}


@cache
def placeholders(words: str) -> tuple[str, ...]:
    """Returns the names between braces in `words`.

    >>> placeholders("Reste {left}, part {share}")
    ('left', 'share')
    """
    return tuple(name for _, name, _, _ in Formatter().parse(words) if name)
