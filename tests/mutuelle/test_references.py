"""Our own references: read in any spelling, or only as we write them."""

from uuid import UUID

import pytest

from mutuelle import references

REF = UUID("3f0f6a5e-6f0e-4a5c-9f0a-2d3f6b1c7e11")


@pytest.mark.parametrize("value", [str(REF), str(REF).upper(), REF.hex, f"{{{REF}}}", REF.urn])
def test_a_reference_is_read_in_any_spelling(value: str) -> None:
    assert references.read(value) == REF
    assert references.normalize(value) == str(REF)
    assert references.read_exact(value) == (REF if value == str(REF) else None)


@pytest.mark.parametrize("value", ["", "3f0f6a5e", "not-a-reference", f"{REF}0"])
def test_other_text_is_no_reference(value: str) -> None:
    assert references.read(value) is references.normalize(value) is references.read_exact(value) is None


@pytest.mark.parametrize("value", [None, 17, REF, ["3f0f6a5e"]])
def test_what_is_no_text_is_no_reference(value: object) -> None:
    assert references.read(value) is references.normalize(value) is None
