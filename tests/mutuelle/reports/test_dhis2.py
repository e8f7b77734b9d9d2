"""Tests the JSON for DHIS2's `dataValueSets`, and the errors that name the wrong key of a mapping."""

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mutuelle.reports import dhis2, indicators
from mutuelle.reports.indicators import Reading

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "config" / "dhis2-example.toml"
NOVEMBER = indicators.month("2026-11", date(2026, 12, 5))
READINGS = [
    Reading("open-share", "", "", 7, 17, 7),
    Reading("open-share", "language", "fr", 7, 15, 7),
    Reading("renewal", "", "", 1, 2, 1),
    Reading("collection", "", "", 30_500, 52_500, 3),
    Reading("subsidy-due", "payer", "state", 24_500, None, 2),
]


def test_the_example_gives_what_dhis2_takes() -> None:
    payload = dhis2.data_value_set(dhis2.load(EXAMPLE), "SN-DIENDER", NOVEMBER, READINGS, date(2026, 12, 5))
    assert (payload["dataSet"], payload["completeDate"], payload["period"], payload["orgUnit"]) == (
        "MutMonthly1", "2026-12-05", "202611", "OuDiender01",
    )  # fmt: skip
    assert set(payload) == {"dataSet", "completeDate", "period", "orgUnit", "dataValues"}
    assert [set(item) for item in payload["dataValues"]] == [
        {"dataElement", "categoryOptionCombo", "value"}
    ] * 8
    values = {
        (item["dataElement"], item["categoryOptionCombo"]): item["value"] for item in payload["dataValues"]
    }
    assert values == {
        ("DeOpenPeop1", "CcDefault01"): "7",
        ("DeEnrolled1", "CcDefault01"): "17",
        ("DeOpenPeop1", "CcLangFre01"): "7",
        ("DeHomePart1", "CcDefault01"): "0",  # an empty part
        ("DeRenewal01", "CcDefault01"): "500",
        ("DeDuesRecv1", "CcDefault01"): "30500",
        ("DeDuesBill1", "CcDefault01"): "52500",
        ("DeSubsidy01", "CcPayState1"): "24500",
    }


def mapping(tmp_path: Path, change: dict[str, Any] | None = None, text: str = "") -> Path:
    """Writes the example with some text replaced, or `text`."""
    content = EXAMPLE.read_text(encoding="utf-8")
    for before, after in (change or {}).items():
        assert before in content
        content = content.replace(before, after, 1)
    file = tmp_path / "mapping.toml"
    file.write_text(text or content, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({'dataSet = "MutMonthly1"': ""}, "dataSet: Field required"),
        ({"[orgUnits]": "[units]"}, "orgUnits: Field required"),
        ({'dataElement = "DeOpenPeop1"': ""}, "dataElements.0.dataElement: Field required"),
        (
            {'indicator = "renewal"': 'indicator = "renewals"'},
            "dataElements.4: Value error, there is no indicator renewals",
        ),
        ({'part = "per_mille"': 'part = "percent"'}, "dataElements.4.part"),
        ({'slice = "fr"': ""}, "dataElements.2: Value error, a part is named by both `by` and `slice`"),
        ({'"DeEnrolled1"': '"DeOpenPeop1"'}, "two numbers go to the same place: DeOpenPeop1 CcDefault01"),
        ({'"OuDiender01"': '"Ou Diender"'}, "orgUnits.SN-DIENDER"),
        ({'by = "language"': 'bye = "language"'}, "dataElements.2.bye: Extra inputs"),
    ],
)
def test_a_wrong_mapping_is_refused_by_the_name_of_the_place(
    tmp_path: Path, change: dict[str, str], names: str
) -> None:
    with pytest.raises(dhis2.MappingError, match=re.escape(names)):
        dhis2.load(mapping(tmp_path, change))


def test_a_mapping_that_is_no_toml_or_not_there_is_refused(tmp_path: Path) -> None:
    for file in (mapping(tmp_path, text="dataSet ="), tmp_path / "nowhere.toml"):
        with pytest.raises(dhis2.MappingError, match="cannot be read"):
            dhis2.load(file)


def test_a_mutuelle_without_a_place_and_a_month_that_runs_are_refused() -> None:
    example = dhis2.load(EXAMPLE)
    with pytest.raises(dhis2.MappingError, match="orgUnits: SN-THIES is missing"):
        dhis2.data_value_set(example, "SN-THIES", NOVEMBER, READINGS, date(2026, 12, 5))
    running = indicators.month("2026-12", date(2026, 12, 5))
    with pytest.raises(dhis2.MappingError, match="2026-12 is not over"):
        dhis2.data_value_set(example, "SN-DIENDER", running, READINGS, date(2026, 12, 5))


def test_the_examples_name_the_demonstrations_mutuelles() -> None:
    places = set(tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))["orgUnits"])
    assert places == {"SN-DIENDER", "RW-HUYE", "ML-SIKASSO"}
