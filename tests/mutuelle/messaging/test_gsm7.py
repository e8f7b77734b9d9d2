"""Septets and parts are counted like the networks count them; folding changes only what it must."""

import gsm0338
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutuelle.messaging.gsm7 import BASIC, COST, EXTENSION, Segments, fold, segments, septets

CODEC = gsm0338.Codec()
GSM = st.text(alphabet=sorted(COST))


def test_the_table_has_all_letters_of_the_default_alphabet_but_the_escape():
    assert len(BASIC) == 127
    assert len(EXTENSION) == 10
    assert not BASIC & EXTENSION


@settings(deadline=None)
@given(GSM)
def test_we_count_septets_like_the_codec(text):
    assert septets(text) == len(CODEC.encode(text)[0])


def test_we_accept_exactly_the_letters_the_codec_accepts():
    """But for a bare escape, which the codec accepts and a handset would read with the next letter."""
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    assert {letter for letter in every if _encodes(letter)} - {"\x1b"} == set(COST)


def _encodes(letter):
    try:
        CODEC.encode(letter)
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "named"), [("reçu", "ç"), ("ok\x1b", "x1b"), ("5\u00a0000 €", "00A0"), ("😀", "1F600")]
)
def test_a_letter_outside_gsm7_is_named(text, named):
    with pytest.raises(ValueError, match=named):
        septets(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments("gsm7", 0, 1)),
        ("a" * 160, Segments("gsm7", 160, 1)),
        ("a" * 161, Segments("gsm7", 161, 2)),
        ("a" * 306, Segments("gsm7", 306, 2)),
        ("a" * 307, Segments("gsm7", 307, 3)),
        ("€" * 80, Segments("gsm7", 160, 1)),
        ("a" * 152 + "€" + "a" * 152, Segments("gsm7", 306, 3)),  # the pair would straddle parts 1 and 2
        ("a" * 151 + "€" + "a" * 153, Segments("gsm7", 306, 2)),
        ("ê" * 70, Segments("ucs2", 70, 1)),
        ("ê" * 71, Segments("ucs2", 71, 2)),
        ("ê" * 134, Segments("ucs2", 134, 2)),
        ("ê" * 135, Segments("ucs2", 135, 3)),
        ("😀" * 35, Segments("ucs2", 70, 1)),
        ("ê" * 66 + "😀" + "ê" * 66, Segments("ucs2", 134, 3)),  # 66 + 1 unit over: the pair moves whole
    ],
)
def test_segments(text, expected):
    assert segments(text) == expected


def test_a_typographic_apostrophe_doubles_the_price_and_folding_halves_it_again():
    text = "Rappel : votre cotisation n’est pas à jour. Payez avant le 31 au 5\u202f000 FCFA svp."
    assert segments(text).count == 2
    assert segments(fold(text)).count == 1


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("reçu, fenêtre, naïf, dû, hôpital", "recu, fenetre, naif, du, hopital"),
        ("été à Où Ç ñ ö ü É", "été à Où Ç ñ ö ü É"),
        ("À Ê Î Ô Û Ÿ È", "A E I O U Y E"),
        ("«\u00a0Payer\u00a0» « oui »", '"Payer" " oui "'),
        ("l’eau “dite” – 5\u00a0000…", 'l\'eau "dite" - 5 000...'),
        ("cœur Œuvre", "coeur OEuvre"),
        ("ɲininkali ŋ ɛɔ Ɛ̀ ɖ ƒ ʋ ɣ ɓ ɗ ƴ", "nyininkali ng eo E d f v g b d y"),
        ("e\u0301te\u0301", "été"),
        ("n° ² ½ №", "no 2 1/2 No"),
        ("a\tb\u200bc\u00ad", "a bc"),
        ("€[]{}|~^\\", "€[]{}|~^\\"),
    ],
)
def test_folding(text, folded):
    assert fold(text) == folded


def test_letters_that_cannot_be_folded_stay_unless_a_replacement_is_given():
    assert fold("اسم 😀 ok") == "اسم 😀 ok"
    assert fold("اسم 😀 ok", unknown="?") == "??? ? ok"


@settings(deadline=None)
@given(GSM)
def test_folding_changes_nothing_that_is_already_gsm7(text):
    assert fold(text) == text


@settings(deadline=None)
@given(st.text())
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)


@settings(deadline=None)
@given(st.text())
def test_a_text_with_a_stand_in_always_counts(text):
    assert septets(fold(text, unknown="?")) >= 0
