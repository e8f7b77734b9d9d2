"""Reads the target populations of mutuelles from a file that names each source; they are never estimated."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from mutuelle.schemes.fields import Count, FrozenModel


class TargetsError(SystemExit):
    """Stops the process; the text names the file and every key that is missing or wrong."""


class TargetPopulation(FrozenModel):
    """The number of people from a day on, and who counted them."""

    since: date = Field(alias="from")
    people: Count
    source: Annotated[str, Field(min_length=1)]


class TargetPopulations(FrozenModel):
    """The target populations over time, by the code of the mutuelle."""

    target_population: dict[str, Annotated[tuple[TargetPopulation, ...], Field(min_length=1)]] = {}

    def on(self, code: str, day: date) -> int | None:
        """Returns the target population of a mutuelle on `day`; None if the file has none."""
        targets = [target for target in self.target_population.get(code, ()) if target.since <= day]
        return max(targets, key=lambda target: target.since).people if targets else None


def load(file: str) -> TargetPopulations:
    """Reads the file; without a name, returns no targets. Raises TargetsError."""
    if not file:
        return TargetPopulations()
    try:
        return TargetPopulations.model_validate(tomllib.loads(Path(file).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TargetsError(f"TARGETS_FILE: {file} cannot be read: {error}") from None
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise TargetsError(f"TARGETS_FILE: {file}:\n  " + "\n  ".join(lines)) from None
