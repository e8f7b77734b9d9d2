"""Makes spellings of the same words equal: for names, and for the headings and codes of lists. Pure."""

import re
import unicodedata


def normalize(text: str) -> str:
    """Returns lower case without accents or punctuation, so that spellings of the same word are equal.

    >>> normalize(" Numéro_de  MEMBRE ")
    'numero de membre'
    """
    bare = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(letter)
    )
    return " ".join(re.sub(r"[\W_]+", " ", bare).split())


def sorted_words(name: str) -> str:
    """Returns the words of a name, equal for the same words in any order and spelling of accents.

    >>> sorted_words("NDIAYE  Awa"), sorted_words("awa ndiayé")
    ('awa ndiaye', 'awa ndiaye')
    """
    return " ".join(sorted(normalize(name).split()))
