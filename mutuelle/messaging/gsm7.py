"""What a text costs on a phone network: GSM-7 septets, SMS segments, and folding to letters every handset can
show. Pure.

Sources: 3GPP TS 23.038 §6.2.1 (default alphabet and its extension table), TS 23.040 §9.2.3.24.1 (concatenated
messages: 6 bytes of header leave 153 septets or 67 UCS-2 units). National shift tables are not used: few
handsets of the region have them. The stored text is never folded, only what goes out.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("^{}\\[~]|€\f")  # an escape and a letter: two septets
COST = {**dict.fromkeys(BASIC, 1), **dict.fromkeys(EXTENSION, 2)}
_OUTSIDE = re.compile(f"[^{re.escape(''.join(sorted(COST)))}]")
_DOUBLE = re.compile(f"[{re.escape(''.join(sorted(EXTENSION)))}]")

SINGLE = {"gsm7": 160, "ucs2": 70}
PART = {"gsm7": 153, "ucs2": 67}

# What decomposition cannot guess. Letters of Bambara, Ewe, Fula, Hausa, Wolof follow the older spellings of
# the region (ny, ng); the rest is typography.
LETTERS = {
    **{
        "œ": "oe",
        "Œ": "OE",
        "ı": "i",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "Đ": "D",
        "þ": "th",
        "Þ": "Th",
        "ð": "d",
        "Ð": "D",
    },
    **{
        "ɛ": "e",
        "Ɛ": "E",
        "ɔ": "o",
        "Ɔ": "O",
        "ə": "e",
        "Ə": "E",
        "ǝ": "e",
        "Ǝ": "E",
        "ŋ": "ng",
        "Ŋ": "Ng",
        "ɲ": "ny",
    },
    **{
        "Ɲ": "Ny",
        "ɖ": "d",
        "Ɖ": "D",
        "ƒ": "f",
        "Ƒ": "F",
        "ʋ": "v",
        "Ʋ": "V",
        "ɣ": "g",
        "Ɣ": "G",
        "ɓ": "b",
        "Ɓ": "B",
    },
    **{
        "ɗ": "d",
        "Ɗ": "D",
        "ƙ": "k",
        "Ƙ": "K",
        "ƴ": "y",
        "Ƴ": "Y",
        "ɩ": "i",
        "Ɩ": "I",
        "ʊ": "u",
        "Ʊ": "U",
        "ɠ": "g",
    },
    **dict.fromkeys("’‘‚‛ʼʻʹ′`´‹›ꞌ", "'"),
    **dict.fromkeys("«»“”„‟″", '"'),
    **dict.fromkeys("‐‑‒–—―−•", "-"),
    **dict.fromkeys("\t\u2028\u2029\u3000", " "),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\ufe0e\ufe0f", ""),
    **{
        "°": "o",
        "·": ".",
        "×": "x",
        "÷": "/",
        "⁄": "/",
        "→": "->",
        "←": "<-",
        "≥": ">=",
        "≤": "<=",
        "©": "(c)",
        "®": "(R)",
    },
}

_QUOTED = re.compile(
    "(?<=«)[\u00a0\u202f]|[\u00a0\u202f](?=»)"
)  # the space inside French quotes goes with the quotes


@dataclass(frozen=True)
class Segments:
    """How an SMS travels: `units` septets (gsm7) or UTF-16 units (ucs2) in `count` billed parts."""

    encoding: Literal["gsm7", "ucs2"]
    units: int
    count: int


def is_gsm7(text: str) -> bool:
    """Whether every letter is in the GSM default alphabet or its extension."""
    return not _OUTSIDE.search(text)


def septets(text: str) -> int:
    """How many septets `text` takes, extension letters counting two. ValueError names the first letter
    outside GSM-7."""
    if strange := _OUTSIDE.search(text):
        raise ValueError(f"{strange[0]!r} (U+{ord(strange[0]):04X}) is not in GSM-7")
    return len(text) + len(_DOUBLE.findall(text))


def segments(text: str) -> Segments:
    """How `text` would be sent and billed; neither an escape pair nor a surrogate pair is split. Empty text
    is one part."""
    encoding: Literal["gsm7", "ucs2"] = "gsm7" if is_gsm7(text) else "ucs2"
    sizes = [COST[letter] if encoding == "gsm7" else 1 + (ord(letter) > 0xFFFF) for letter in text]
    units = sum(sizes)
    if units <= SINGLE[encoding]:
        return Segments(encoding, units, 1)
    count, room = 1, PART[encoding]
    for size in sizes:
        if size > room:
            count, room = count + 1, PART[encoding]
        room -= size
    return Segments(encoding, units, count)


def fold(text: str, unknown: str | None = None) -> str:
    """`text` in GSM-7 letters where we know how; what is GSM-7 already (é è à ù ì ò ñ Ç …) stays as it is.

    A letter nobody can fold (Arabic, an emoji) stays, so that `septets` names it, unless `unknown` stands in
    for it.

    >>> fold("Ça reçoit l’été, Ŋoné…")
    "Ça recoit l'été, Ngoné..."
    """
    if is_gsm7(text):
        return text
    composed = unicodedata.normalize("NFC", _QUOTED.sub("", text))
    folded = composed.translate(_folds)
    if unknown is None or is_gsm7(folded):
        return folded
    return "".join([letter if letter in COST else unknown for letter in folded])


class _FoldTable(dict[int, str]):
    """How each letter is folded; worked out once per letter."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold_letter(chr(code))
        return folded


_folds = _FoldTable()


def _fold_letter(letter: str) -> str:
    if letter in COST:
        return letter
    if letter in LETTERS:
        return LETTERS[letter]
    pieces = [LETTERS.get(piece, piece) for piece in unicodedata.normalize("NFKD", letter)]
    plain = "".join([piece for piece in pieces if not "\u0300" <= piece <= "\u036f"])
    return plain if is_gsm7(plain) else letter
