"""Readings from elsewhere, and whether they can be the campaign's: property, unit, value, composition, process."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from models.composition import ContinuousVariable
from models.errors import InvalidComposition
from models.problem import Problem
from service.errors import InvalidInput, Violation
from service.operations.compositions import SUM_TOLERANCE
from service.operations.readings import LARGEST
from service.operations.units import SAME, Conversion, Conversions
from service.store.prior_data import row_hash

Reason = Literal["elements", "process", "property", "dead"]
"""Why a row is not taken: it has elements, process conditions or a property that the campaign has not, or no value."""


@dataclass(frozen=True, slots=True)
class PriorReading:
    """One row from elsewhere, of checked shape but unchecked content."""

    composition: Mapping[str, float]
    property: str
    unit: str
    value: float | None
    status: Literal["ok", "dead", "above_limit", "below_limit"] = "ok"
    std_uncertainty: float | None = None
    replicates: int | None = None
    process: Mapping[str, float | str] = field(default_factory=dict)
    film: str | None = None
    """Name there of what shares an offset."""
    position: float | None = None


@dataclass
class PriorRows:
    """The rows of one source, sorted into what is taken, what does not fit and what is wrong."""

    problem: Problem
    properties: Mapping[str, str]
    """The campaign's names by the names there, where they differ."""
    process: Mapping[str, float | str]
    """Values of process variables that rows do not give."""
    taken: list[dict[str, Any]] = field(default_factory=list)
    """Rows as they are stored."""
    misfits: dict[int, tuple[Reason, Violation]] = field(default_factory=dict)
    """Why sound rows have no place in the campaign, by row number."""
    wrong: dict[int, list[Violation]] = field(default_factory=dict)
    """What is wrong with rows, by row number."""
    _conversions: Conversions = field(init=False)

    def __post_init__(self) -> None:
        self._conversions = Conversions(self.problem)

    def add(self, row: int, reading: PriorReading) -> None:
        """Sort one row."""
        wrong = _wrong_value(row, reading) + _wrong_sum(row, reading)
        misfit = self._misfit(row, reading)
        into = None if misfit else self._conversions[self._name(reading), reading.unit]
        if isinstance(into, str):
            wrong.append(at(row, "unit", into))
        if wrong:
            self.wrong[row] = wrong
        elif misfit:
            self.misfits[row] = misfit
        elif isinstance(into, Conversion):
            stored = self._row(row, reading, into)
            if isinstance(stored, Violation):
                self.wrong[row] = [stored]
            else:
                self.taken.append(stored)

    def left_out(self) -> dict[str, int]:
        """Numbers of rows that do not fit, by reason."""
        return dict(sorted(Counter(reason for reason, _ in self.misfits.values()).items()))

    def _misfit(self, row: int, reading: PriorReading) -> tuple[Reason, Violation] | None:
        """Why the row has no place in the campaign, if it has none."""
        space, name = self.problem.space, self._name(reading)
        if name not in self._conversions.wanted:
            known = ", ".join(map(repr, self._conversions.wanted))
            return "property", at(
                row, "property", f"property {reading.property!r} is not one of the campaign's: {known}"
            )
        others = sorted(e for e, x in reading.composition.items() if x > 0.0 and e not in space.elements)
        if others:
            listed = f"{', '.join(others)}: not among the campaign's elements {', '.join(space.elements)}"
            return "elements", at(row, "composition", listed)
        try:
            space.encode_process(self._process(reading))
        except InvalidComposition as error:
            return "process", at(row, "process", str(error))
        if reading.value is None:
            return "dead", at(row, "value", "a dead device has no value to learn from")
        return None

    def _name(self, reading: PriorReading) -> str:
        return self.properties.get(reading.property, reading.property)

    def _process(self, reading: PriorReading) -> dict[str, float | str]:
        """The campaign's process variables; what else the row gives is left out."""
        given = {**self.process, **reading.process}
        found: dict[str, float | str] = {}
        for variable in self.problem.space.process:
            if variable.name in given:
                value = given[variable.name]
                is_number = isinstance(value, int | float)
                # A table does not say whether 400 is a number or the name of a choice.
                found[variable.name] = (
                    f"{value:g}" if is_number and not isinstance(variable, ContinuousVariable) else value
                )
        return found

    def _row(self, row: int, reading: PriorReading, into: Conversion) -> dict[str, Any] | Violation:
        value, spread = reading.value or 0.0, reading.std_uncertainty
        if into is not SAME:
            value = into.value(value)
            spread = None if spread is None else into.uncertainty(spread)
        if abs(value) > LARGEST or not (spread is None or 1.0 / LARGEST <= spread <= LARGEST):
            return at(row, "value", f"value and uncertainty must lie within {LARGEST:g} in the campaign's unit")
        name, total = self._name(reading), math.fsum(reading.composition.values())
        said = {
            "property": name,
            "unit": self._conversions.wanted[name],
            "value": value,
            "status": reading.status,
            "std_uncertainty": spread,
            "replicates": reading.replicates,
            "composition": {e: reading.composition.get(e, 0.0) / total for e in self.problem.space.elements},
            "process": self._process(reading),
            "film": reading.film,
            "position": reading.position,
        }
        raw: dict[str, Any] = {"raw_unit": None, "raw_value": None, "raw_std_uncertainty": None}
        if reading.unit != said["unit"]:
            raw = {
                "raw_unit": reading.unit,
                "raw_value": reading.value,
                "raw_std_uncertainty": reading.std_uncertainty,
            }
        other_name = reading.property if reading.property != name else None
        return said | raw | {"number": row, "row_hash": row_hash(said), "raw_property": other_name}


def at(row: int, where: str, message: str) -> Violation:
    """What is wrong with a field of a row."""
    return Violation(pointer=f"/rows/{row}/{where}", message=message, row=row)


def _wrong_value(row: int, reading: PriorReading) -> list[Violation]:
    if (reading.status == "dead") != (reading.value is None):
        return [at(row, "value", f"a reading with status {reading.status!r} has value {reading.value}")]
    if reading.replicates is not None and reading.std_uncertainty is None:
        message = f"{reading.replicates} replicates have a scatter: std_uncertainty must say it, got null"
        return [at(row, "std_uncertainty", message)]
    return []


def _wrong_sum(row: int, reading: PriorReading) -> list[Violation]:
    total = math.fsum(reading.composition.values())
    if abs(total - 1.0) <= SUM_TOLERANCE:
        return []
    message = f"fractions must sum to 1 within {SUM_TOLERANCE:g}, the sum is {total:.9g}"
    return [at(row, "composition", message)]


def check_mapping(problem: Problem, properties: Mapping[str, str], named: Sequence[str]) -> None:
    """Refuse names that nothing has.

    Args:
        problem: The campaign's.
        properties: The campaign's names by those of the source.
        named: Properties that the source has.

    Raises:
        InvalidInput: If the source has no such property, or the campaign has not.
    """
    ours = {p.property for p in problem.properties}
    found = [
        Violation(f"/properties/{there}", f"the source has no property {there!r}")
        for there in properties
        if there not in named
    ]
    found += [
        Violation(f"/properties/{there}", f"property {here!r} is not one of the campaign's: {', '.join(sorted(ours))}")
        for there, here in properties.items()
        if here not in ours
    ]
    if found:
        raise InvalidInput(f"{len(found)} name(s) of properties fit nothing", found)
