"""What instruments say of devices, and whether it can be true: film, device, quantity, unit, value, row by row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from sqlalchemy.orm import Session

from models.problem import Problem
from service.errors import Violation
from service.operations.places import Spot, place
from service.operations.units import SAME, Conversions
from service.store import calibrations
from service.store.calibrations import Validity
from service.store.places import FilmPlaces, film_places

LARGEST = 1e100
"""Largest magnitude of a reading, and of an uncertainty, in any unit; its square is still a finite double."""

Refusals = dict[int, list[Violation]]
"""What is wrong with rows, by their number."""


class Reading(Spot, Protocol):
    """One row of a batch, of checked shape but unchecked content."""

    @property
    def unit(self) -> str:
        """Of the value and its uncertainty."""

    @property
    def value(self) -> float | None:
        """Null of a dead device."""

    @property
    def status(self) -> Literal["ok", "dead", "above_limit", "below_limit"]:
        """Whether there is a value, and whether it is a limit."""

    @property
    def std_uncertainty(self) -> float | None:
        """In the unit of the value."""

    @property
    def replicates(self) -> int | None:
        """Raw readings behind the value, if the uncertainty was estimated from them."""

    @property
    def measured_at(self) -> datetime:
        """When, with an offset."""

    @property
    def uid(self) -> str | None:
        """Permanent name that the instrument gave; one is made if there is none."""

    @property
    def calibration_id(self) -> str | None:
        """Calibration that the instrument says was in force."""

    @property
    def property(self) -> str:
        """What was read; the last member, since its name hides the decorator from here on."""


class Checked(NamedTuple):
    """A reading that can be true, with its device found and its value in the campaign's unit."""

    row: int
    """Its number in the batch, from 0."""
    reading: Reading
    device: int
    unit: str
    value: float | None
    std_uncertainty: float | None


class Checks:
    """The checks of one batch; films and units are looked up once, not once a row."""

    def __init__(self, campaign_id: str, problem: Problem, films: Mapping[str, FilmPlaces]) -> None:
        self.refused: Refusals = {}
        """What was found to be wrong, by row."""
        self._campaign_id = campaign_id
        self._films = films
        self._conversions = Conversions(problem)
        self._units = self._conversions.wanted
        self._rows_by_uid: dict[str, int] = {}

    def check(self, row: int, reading: Reading) -> Checked | None:
        """The reading with its device and in the campaign's unit; None if something is wrong with it."""
        wrong: list[Violation] = []
        name, value, spread = reading.property, reading.value, reading.std_uncertainty
        into = self._conversions[name, reading.unit]
        if isinstance(into, str):
            wrong.append(at(row, "unit" if name in self._units else "property", into))
        if (reading.status == "dead") != (value is None) or (spread is None and reading.replicates is not None):
            wrong.append(_contradiction(row, reading))
        if reading.uid is not None and (first := self._rows_by_uid.setdefault(reading.uid, row)) != row:
            wrong.append(at(row, "uid", f"uid {reading.uid!r} is already that of row {first} of this batch"))
        device = self._device(row, reading, wrong)
        if into is not SAME and not isinstance(into, str):
            value = None if value is None else into.value(value)
            spread = None if spread is None else into.uncertainty(spread)
            _check_range(row, value, spread, self._units[name], wrong)
        if wrong or device is None:
            self.refused[row] = wrong
            return None
        return Checked(row, reading, device, self._units[name], value, spread)

    def _device(self, row: int, reading: Reading, wrong: list[Violation]) -> int | None:
        film = self._films.get(reading.film_id)
        if film is None:
            message = f"film {reading.film_id!r} is not a film of campaign {self._campaign_id}"
            wrong.append(at(row, "film_id", message))
            return None
        device = place(reading, film)
        if isinstance(device, int):
            return device
        wrong.append(at(row, device.field, device.message))
        return None


def at(row: int, field: str, message: str) -> Violation:
    """What is wrong with a field of a row."""
    return Violation(pointer=f"/measurements/{row}/{field}", message=message, row=row)


def check_all(
    session: Session, campaign_id: str, problem: Problem, readings: Sequence[tuple[int, Reading]]
) -> tuple[list[Checked], Refusals]:
    """The readings that can be true, and what is wrong with the others.

    Args:
        session: The open transaction.
        campaign_id: The campaign.
        problem: Its problem in force.
        readings: With their row numbers.
    """
    films = film_places(session, campaign_id, {r.film_id for _, r in readings})
    checks = Checks(campaign_id, problem, films)
    passed = [good for row, reading in readings if (good := checks.check(row, reading)) is not None]
    return passed, checks.refused


def misnamed(checked: Sequence[Checked], under: Sequence[Validity]) -> Refusals:
    """What is wrong with readings that name a calibration which was not in force when they were made.

    Args:
        checked: Readings that can be true otherwise.
        under: Calibrations of their instrument, the latest begun first.
    """
    found: Refusals = {}
    for c in checked:
        named = c.reading.calibration_id
        if named is None:
            continue
        there = calibrations.in_force(under, c.reading.property, c.reading.measured_at)
        if named != there:
            message = f"calibration {named!r} of this instrument was not in force then, but {there or 'none'}"
            found[c.row] = [at(c.row, "calibration_id", message)]
    return found


def _contradiction(row: int, reading: Reading) -> Violation:
    """What is wrong with status, value and scatter together."""
    if reading.status == "dead" and reading.value is not None:
        return at(row, "value", f"a dead device has no value: it must be null, got {reading.value}")
    if reading.status != "dead" and reading.value is None:
        return at(row, "value", f"a reading with status {reading.status!r} must have a value, got null")
    message = f"{reading.replicates} replicates have a scatter: std_uncertainty must say it, got null"
    return at(row, "std_uncertainty", message)


def _check_range(row: int, value: float | None, spread: float | None, unit: str, wrong: list[Violation]) -> None:
    """What is bounded on the wire is bounded in the campaign's unit, too."""
    if value is not None and abs(value) > LARGEST:
        wrong.append(at(row, "value", f"the value must lie within {LARGEST:g} {unit}, it is {value:g}"))
    if spread is not None and not 1.0 / LARGEST <= spread <= LARGEST:
        bounds = f"{1.0 / LARGEST:g} to {LARGEST:g} {unit}"
        wrong.append(at(row, "std_uncertainty", f"a standard uncertainty is {bounds}, it is {spread:g}"))
