"""Converts a month's indicators to the JSON of DHIS2's `POST /api/dataValueSets`, by a mapping file. Pure.

An identifier is a UID or a code; `idScheme` in the address tells DHIS2 which of the two.
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
    """Raised for an unusable mapping; the text names the file and every key that is missing or wrong."""


class Element(FrozenModel):
    """The data element of one number: a `part` of an indicator, of the whole or of one `slice` of it."""

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
    """One data set: the organisation unit of each mutuelle and the data element of each number."""

    data_set: Identifier = Field(alias="dataSet")
    org_units: dict[str, Identifier] = Field(alias="orgUnits")
    elements: Annotated[tuple[Element, ...], Field(min_length=1, alias="dataElements")]

    @model_validator(mode="after")
    def _has_unique_targets(self) -> "Mapping":
        targets = [(element.data_element, element.category_option_combo) for element in self.elements]
        repeated = sorted({" ".join(target) for target in targets if targets.count(target) > 1})
        if repeated:
            raise ValueError(f"two numbers go to the same place: {', '.join(repeated)}")
        return self


def load(file: Path) -> Mapping:
    """Reads the mapping. Raises MappingError."""
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
    """Returns the data value set of the mutuelle `code`.

    A number that is not known is left out; the numerator of a slice without people is 0. Raises MappingError
    if the mutuelle has no organisation unit, or the month is not over.
    """
    if code not in mapping.org_units:
        raise MappingError(f"orgUnits: {code} is missing")
    if not of.over:
        raise MappingError(f"the month {of} is not over: what is sent would not stay true")
    by_slice = {(reading.code, reading.by, reading.slice): reading for reading in readings}
    values = [(element, _value(element, by_slice)) for element in mapping.elements]
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


def _value(element: Element, by_slice: dict[tuple[str, str, str], Reading]) -> int | None:
    reading = by_slice.get((element.indicator, element.by, element.slice))
    if reading is None:
        return 0 if element.by and element.part == "numerator" else None
    number: int | None = getattr(reading, element.part)
    return number
