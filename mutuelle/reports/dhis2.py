"""DHIS2: indicators of a month as the JSON of `POST /api/dataValueSets`, under the identifiers a mapping file
gives. Pure.

Where an identifier stands it may be a UID or a code; which of both, the reader is told by `idScheme` in the
address.
"""

import tomllib
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from mutuelle.reports.indicator_list import NAMED
from mutuelle.reports.indicators import Month, Reading
from mutuelle.schemes.fields import FrozenModel

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,50}$")]


class MappingError(Exception):
    """The mapping cannot be used; the text names the file and every key that is missing or wrong."""


class Element(FrozenModel):
    """Where one number goes: the `part` of an indicator, of the whole or of one `slice` of it."""

    indicator: str
    part: Literal["numerator", "denominator", "per_mille"]
    by: str = ""
    slice: str = ""
    data_element: Identifier = Field(alias="dataElement")
    category_option_combo: Identifier = Field(alias="categoryOptionCombo")

    @model_validator(mode="after")
    def _is_one_of_ours(self) -> "Element":
        if self.indicator not in NAMED:
            raise ValueError(f"there is no indicator {self.indicator}, only {', '.join(NAMED)}")
        if bool(self.by) != bool(self.slice):
            raise ValueError("a part is named by both `by` and `slice`")
        return self


class Mapping(FrozenModel):
    """One data set; the organisation unit of each mutuelle, and where each number goes."""

    data_set: Identifier = Field(alias="dataSet")
    org_units: dict[str, Identifier] = Field(alias="orgUnits")
    elements: Annotated[tuple[Element, ...], Field(min_length=1, alias="dataElements")]

    @model_validator(mode="after")
    def _each_goes_to_its_own_place(self) -> "Mapping":
        places = [(one.data_element, one.category_option_combo) for one in self.elements]
        doubled = sorted({" ".join(place) for place in places if places.count(place) > 1})
        if doubled:
            raise ValueError(f"two numbers go to the same place: {', '.join(doubled)}")
        return self


def load(file: Path) -> Mapping:
    """The mapping in `file`, or MappingError."""
    try:
        return Mapping.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingError(f"{file} cannot be read: {error}") from None
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}" for each in error.errors()]
        raise MappingError(f"{file}:\n  " + "\n  ".join(lines)) from None


def data_value_set(
    mapping: Mapping, code: str, of: Month, readings: Iterable[Reading], completed: date
) -> dict[str, Any]:
    """What DHIS2 takes for the mutuelle `code`. A number nobody knows is left out; a part that nobody is in
    is 0.

    MappingError: the mutuelle has no organisation unit, or the month is not over.
    """
    if code not in mapping.org_units:
        raise MappingError(f"orgUnits: {code} is missing")
    if not of.over:
        raise MappingError(f"the month {of} is not over: what is sent would not stay true")
    known = {(one.code, one.by, one.slice): one for one in readings}
    values = [(element, _value(element, known)) for element in mapping.elements]
    return {
        "dataSet": mapping.data_set,
        "completeDate": completed.isoformat(),
        "period": f"{of.first:%Y%m}",
        "orgUnit": mapping.org_units[code],
        "dataValues": [
            {
                "dataElement": element.data_element,
                "categoryOptionCombo": element.category_option_combo,
                "value": str(value),
            }
            for element, value in values
            if value is not None
        ],
    }


def _value(element: Element, known: dict[tuple[str, str, str], Reading]) -> int | None:
    reading = known.get((element.indicator, element.by, element.slice))
    if reading is None:
        return 0 if element.by and element.part == "numerator" else None
    found: int | None = getattr(reading, element.part)
    return found
