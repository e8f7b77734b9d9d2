"""Every screen fits, exists in every language, and has no unused words."""

import pytest

from menus import fit, graph_checks, texts
from menus.flow import FLOW
from mutuelle.messaging import gsm7


def test_every_screen_fits_in_every_language_with_every_placeholder_at_its_longest():
    assert fit.check(FLOW) == []


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_catalogue_is_complete_and_has_no_unused_words(language):
    assert set(texts.CATALOGUES[language]) == FLOW.text_ids()


@pytest.mark.parametrize("text_id", sorted(FLOW.text_ids()))
def test_the_languages_agree_on_the_placeholders(text_id):
    assert (
        len(
            {
                frozenset(texts.placeholders(texts.CATALOGUES[language][text_id]))
                for language in texts.LANGUAGES
            }
        )
        == 1
    )


def test_every_placeholder_is_used():
    used = {name for words in texts.CATALOGUES["fr"].values() for name in texts.placeholders(words)}
    assert used == set(FLOW.values)


def test_a_screen_that_is_too_long_is_named():
    problems = fit.check(FLOW, limit=60)
    assert {problem.language for problem in problems} == set(texts.LANGUAGES)
    assert "join.consent" in {problem.screen for problem in problems}


def test_a_screen_of_exactly_the_limit_fits_and_one_septet_less_does_not():
    texts_by_screen = {
        (name, language): fit.longest_text(FLOW, language, screen)
        for language in texts.LANGUAGES
        for name, screen in FLOW.screens.items()
    }
    septets = {key: len("CON ") + gsm7.septets(gsm7.fold(text)) for key, text in texts_by_screen.items()}
    longest = max(septets.values())
    of_screens = [problem for problem in fit.check(FLOW, longest) if problem.screen in FLOW.screens]
    assert of_screens == []
    too_long = {(p.screen, p.language) for p in fit.check(FLOW, longest - 1) if p.screen in FLOW.screens}
    assert too_long == {key for key, length in septets.items() if length == longest}


def test_the_drawing_names_every_screen():
    drawn = graph_checks.draw(FLOW)
    assert all(f'"{name}"' in drawn for name in FLOW.screens)


def test_the_words_are_plain_sms_letters():
    assert all(gsm7.is_gsm7(words) for catalogue in texts.CATALOGUES.values() for words in catalogue.values())
