"""A reminder is one SMS of one part without a word about illness.

Its way to stop leads to the question.
"""

import re
from itertools import product

import pytest

from menus import reminder_words, sms_words, texts
from menus.flow import FLOW
from mutuelle.messaging import gsm7

LONG = {
    "date": "2026-12-31",
    "days": -14,
    "left": 999_999,
    "to_open": 500_000,
    "opens": "2027-01-01",
    "until": "2027-06-30",
}
KINDS = [*product(("end", "start"), (-14, 3)), ("promise", 0)]
# Another person may read it, so no word may say that a member is ill, cared for or expecting.
ILLNESS = {
    "fr": "malad santé soin hôpit hopit cliniq médec medec médic medic docteur infirm traite vaccin grossess"
    " enceint accouch nourrisson décès mort vih sida palu tubercul cancer diabèt diabet handicap consult"
    " pharmac urgenc matern sang",
    "en": "ill sick disease health care hospital clinic doctor nurse medic treat vaccin pregnan birth baby"
    " death hiv aids tubercul cancer diabet disab consult emergenc matern blood",
}


def compose(language, about="end", days=-14, mutuelle="Mutuelle de Sikasso", currency="RWF", **more):
    facts = LONG | {"about": about, "days": days, "stop": "*384*56#"} | more
    return sms_words.compose("reminder", facts, language=language, currency=currency, mutuelle=mutuelle)


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize(("about", "days"), KINDS)
@pytest.mark.parametrize("currency", ["XOF", "RWF"])
def test_at_its_longest_it_is_one_segment_and_names_the_sums_the_dates_and_the_way_out(
    language, about, days, currency
):
    text = compose(language, about, days, currency=currency)
    assert (gsm7.segments(text).encoding, gsm7.segments(text).count) == ("gsm7", 1)
    for part in ("Mutuelle de", "500 000", "999 999", "01/01/2027", "30/06/2027", "Stop: *384*56*4*4#"):
        assert part in text


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize(("about", "days"), KINDS)
@pytest.mark.parametrize(
    "name", ["M", "Mutuelle de santé communautaire de Ñoŋ " * 3, "صحة " * 20, "{left} €€€ []" * 9]
)
@pytest.mark.parametrize("left", [0, 10**12])
def test_for_any_name_and_sums_it_stays_one_segment(language, about, days, name, left):
    text = compose(
        language, about, days, name, left=left, to_open=left, opens=None, until=None, stop="*384*123456#"
    )
    assert (gsm7.segments(text).encoding, gsm7.segments(text).count) == ("gsm7", 1)


def test_the_sum_is_named_once_when_all_of_it_opens_cover():
    text = compose("fr", "start", 3, left=500_000, to_open=500_000)
    assert "Reste" not in text
    assert "Payez 500 000 RWF: droits du 01/01/2027 au 30/06/2027." in text


def test_without_a_dialled_code_nothing_is_promised():
    assert "Stop" not in compose("fr", stop="")


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize(("about", "days"), KINDS)
def test_no_word_is_about_illness(language, about, days):
    words = re.findall(r"[^\W\d_]+", compose(language, about, days, mutuelle="Union").lower())
    assert not [word for word in words if any(word.startswith(ill) for ill in ILLNESS[language].split())]


def test_both_languages_say_the_same_things():
    for name in [name for name in sms_words.CATALOGUES["fr"] if name.startswith("reminder.")]:
        assert set(texts.placeholders(sms_words.CATALOGUES["fr"][name])) == set(
            texts.placeholders(sms_words.CATALOGUES["en"][name])
        )


def test_the_digits_behind_the_code_lead_to_the_question():
    """`*4*4#`: the fourth item of the first screen, then the fourth of More."""
    first, more = FLOW.screens["home"], FLOW.screens["more"]
    assert first.options[3].goto == "more"
    assert more.options[3].goto == "more.reminders"
    assert reminder_words.STOP == "*4*4#"
