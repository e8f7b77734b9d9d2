"""Counts GSM-7 septets and SMS segments, and folds text to letters that every handset can show. Pure.

Sources: 3GPP TS 23.038 §6.2.1 (default alphabet and its extension table), TS 23.040 §9.2.3.24.1 (concatenated
messages: 6 bytes of header leave 153 septets or 67 UCS-2 units). National shift tables are not used: few
handsets of the region have them. Only the text that is sent is folded; names are stored as they are.
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

# What Unicode decomposition does not fold. Letters of Bambara, Ewe, Fula, Hausa, Wolof follow the older
# spellings of the region (ny, ng); the others are typography.
LETTERS = {
    "œ": "oe", "Œ": "OE", "ı": "i", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "þ": "th", "Þ": "Th",
    "ð": "d", "Ð": "D", "ɛ": "e", "Ɛ": "E", "ɔ": "o", "Ɔ": "O", "ə": "e", "Ə": "E", "ǝ": "e",
    "Ǝ": "E", "ŋ": "ng", "Ŋ": "Ng", "ɲ": "ny", "Ɲ": "Ny", "ɖ": "d", "Ɖ": "D", "ƒ": "f", "Ƒ": "F",
    "ʋ": "v", "Ʋ": "V", "ɣ": "g", "Ɣ": "G", "ɓ": "b", "Ɓ": "B", "ɗ": "d", "Ɗ": "D", "ƙ": "k",
    "Ƙ": "K", "ƴ": "y", "Ƴ": "Y", "ɩ": "i", "Ɩ": "I", "ʊ": "u", "Ʊ": "U", "ɠ": "g",
    **dict.fromkeys("’‘‚‛ʼʻʹ′`´‹›ꞌ", "'"),
    **dict.fromkeys("«»“”„‟″", '"'),
    **dict.fromkeys("‐‑‒–—―−•", "-"),
    **dict.fromkeys("\t\u2028\u2029\u3000", " "),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\ufe0e\ufe0f", ""),
    "°": "o", "·": ".", "×": "x", "÷": "/", "⁄": "/", "→": "->", "←": "<-", "≥": ">=", "≤": "<=",
    "©": "(c)", "®": "(R)",
}  # fmt: skip

# The space inside French quotes is removed with the quotes.
_QUOTED = re.compile("(?<=«)[\u00a0\u202f]|[\u00a0\u202f](?=»)")


@dataclass(frozen=True)
class Segments:
    """How an SMS travels: `units` septets (gsm7) or UTF-16 units (ucs2) in `count` billed parts."""

    encoding: Literal["gsm7", "ucs2"]
    units: int
    count: int


def is_gsm7(text: str) -> bool:
    """Whether every letter is in the GSM default alphabet or its extension table."""
    return not _OUTSIDE.search(text)


def septets(text: str) -> int:
    """Returns how many septets `text` takes; letters of the extension table take two.

    ValueError names the first letter outside GSM-7.
    """
    if outsider := _OUTSIDE.search(text):
        raise ValueError(f"{outsider[0]!r} (U+{ord(outsider[0]):04X}) is not in GSM-7")
    return len(text) + len(_DOUBLE.findall(text))


def segments(text: str) -> Segments:
    """Returns how `text` would be sent and billed. Empty text is one part.

    Neither an escape pair nor a surrogate pair is split.
    """
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
    """Returns `text` in GSM-7 letters. Letters of GSM-7 (é è à ù ì ò ñ Ç …) stay as they are.

    A letter that cannot be folded (Arabic, an emoji) is replaced by `unknown`. Without `unknown` the letter
    stays, so that `septets` names it.

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
    """Maps each code point to its folded text, computed once per letter."""

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
