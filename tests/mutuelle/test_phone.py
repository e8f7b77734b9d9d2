"""A phone number has one canonical form, and only old numbers of Benin are renumbered."""

import pytest

from mutuelle import phone
from mutuelle.errors import Malformed


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("97000001", "BJ", "+2290197000001"),  # of before 30 November 2024
        ("22997000001", "BJ", "+2290197000001"),
        ("0022997000001", "BJ", "+2290197000001"),
        ("+22997000001", "BJ", "+2290197000001"),
        ("0197000001", "BJ", "+2290197000001"),
        ("+2290197000001", "BJ", "+2290197000001"),
        ("+2290197000001", None, "+2290197000001"),
        ("76000001", "ML", "+22376000001"),  # eight digits, as in Benin once
        ("+22376000001", "BJ", "+22376000001"),
        ("77 000 00 01", "SN", "+221770000001"),
        ("00221770000001", "SN", "+221770000001"),
        ("0788000001", "RW", "+250788000001"),
    ],
)
def test_a_number_becomes_e164_by_its_country(text: str, country: str | None, number: str) -> None:
    assert phone.normalize(text, country) == number


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("76000001", None),
        ("7600000", "ML"),
        ("", "SN"),
        ("x", "SN"),
        (None, "SN"),
        (770000001, "SN"),
        ("7" * 31, "SN"),
    ],
)
def test_what_is_no_number_is_malformed(text: object, country: str | None) -> None:
    with pytest.raises(Malformed):
        phone.normalize(text, country)


@pytest.mark.parametrize("text", ["+22177000", "+221770000001", "+123456789012345"])
def test_a_number_of_a_gateway_has_a_plus_and_eight_to_fifteen_digits(text: str) -> None:
    assert phone.wire(text) == text


@pytest.mark.parametrize(
    "text", ["221770000001", "+0221770000", "+2217700", "+1234567890123456", "+221 77", None]
)
def test_another_form_from_a_gateway_is_malformed(text: object) -> None:
    with pytest.raises(Malformed):
        phone.wire(text)


def test_a_masked_number_shows_its_country_and_its_last_four_digits() -> None:
    assert phone.mask("+221770000001") == "+221••••0001"
