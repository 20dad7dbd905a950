"""What was found so far: one record per measured film, the best true value, and the line that tells of it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from models.objective import Objective
from service.simulation.wafer import ELEMENTS, PROPERTY, UNIT, Array, Wafer

GOAL = 0.95
"""Share of the wafer's best true value from which on it counts as found."""

LARGEST = Objective(property=PROPERTY, unit=UNIT)
"""What the demo's campaign wants of the wafer."""

SMALLEST = 1e-12
"""Least difference of the wafer's worst and best, in V: it may have none, where a tolerance is wide."""

_BAR = 12
_EIGHTHS = " ▏▎▍▌▋▊▉"


def fractions(composition: Mapping[str, float]) -> Array:
    """A composition from the wire as fractions in the wafer's order, `3`."""
    return np.array([composition[e] for e in ELEMENTS])


def formula(composition: Array) -> str:
    """Fractions `3` as a person writes them: Fe0.78Ga0.17Pd0.05."""
    return "".join(f"{e}{x:.2f}" for e, x in zip(ELEMENTS, composition, strict=True))


@dataclass(frozen=True, eq=False)
class FilmRecord:
    """One film from proposal to readings."""

    number: int
    """1, 2, … in the campaign."""
    ends: Array
    """`2 x 3` end compositions as proposed."""
    as_made: Array
    """`K x 3` fractions of the devices."""
    readings: Array
    """`K` readings in V; NaN where the device was dead."""
    source: str
    """Who chose it: model, space_filling or random."""
    decision_s: float
    """Time the robot waited for it."""

    @property
    def best_reading(self) -> float | None:
        """Largest reading, None if every device was dead."""
        return None if np.isnan(self.readings).all() else float(np.nanmax(self.readings))


@dataclass(frozen=True, eq=False)
class Belief:
    """What a model believes, on j compositions."""

    points: Array
    """`j x 3` fractions."""
    mean: Array
    """`j` posterior means in V."""
    sd: Array
    """`j` posterior standard deviations in V."""
    best: Array
    """`3`: the composition that the model recommends."""
    best_mean: float
    """Its posterior mean in V."""
    best_sd: float
    """Its posterior standard deviation in V."""
    knows_all: bool = True
    """Whether the model was trained on every reading there was."""


@dataclass
class Progress:
    """The films of a campaign in the order in which they were measured. Threads may add to it."""

    wafer: Wafer
    sought: Objective = LARGEST
    """What the campaign wants of the magnetisation."""
    films: list[FilmRecord] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, record: FilmRecord) -> str:
        """Add a film.

        Returns:
            The line that tells a person about it.
        """
        with self._lock:
            self.films.append(record)
            return self._line(record)

    def best_true(self) -> Array:
        """Best true value among the measured devices after 1, 2, … films; NaN before the first living device."""
        best, curve = list[float](), list[float]()
        for film in self.films:
            best += self.wafer.truth(film.as_made[~np.isnan(film.readings)]).tolist()
            best = [self.sought.best(best)] if best else []
            curve += best or [np.nan]
        return np.array(curve)

    def shares(self) -> Array:
        """How far the best true value has come after 1, 2, … films: 1 is the wafer's best; 0 if no device has lived.

        A share of the largest value where large values are sought, else of the way from the worst value to the best.
        """
        if self.sought.direction == "maximise":
            return np.nan_to_num(self.best_true() / self.wafer.best_value)
        worst, best = self._worst_and_best()
        worth = self.sought.to_maximised(self.best_true())
        return np.where(worth >= best, 1.0, np.nan_to_num((worth - worst) / max(best - worst, SMALLEST)))

    def _worst_and_best(self) -> tuple[float, float]:
        """What the wafer's values are worth, which take every value between the least and the largest."""
        values = self.wafer.values
        worth = self.sought.to_maximised(values)
        target = self.sought.target
        best = worth if target is None else self.sought.to_maximised(np.clip(target, values.min(), values.max()))
        return float(worth.min()), float(np.max(best))

    def fraction_of_best(self) -> float:
        """The newest of `shares`; 0 if there is no film."""
        curve = self.shares()
        return float(curve[-1]) if len(curve) else 0.0

    def films_to(self, share: float = GOAL) -> int | None:
        """Films until the best true value reached this share of the wafer's best; None if it did not."""
        reached = np.flatnonzero(self.shares() >= share)
        return int(reached[0]) + 1 if len(reached) else None

    def readings(self) -> int:
        """Number of readings, dead devices not counted."""
        return int(sum((~np.isnan(f.readings)).sum() for f in self.films))

    def best_device(self) -> tuple[Array, float] | None:
        """Composition as made and reading of the device that read highest; None if there is no reading."""
        alive = [f for f in self.films if f.best_reading is not None]
        if not alive:
            return None
        film = max(alive, key=lambda f: f.best_reading or -np.inf)
        at = int(np.nanargmax(film.readings))
        return film.as_made[at], float(film.readings[at])

    def _line(self, film: FilmRecord) -> str:
        share = self.fraction_of_best()
        living = film.readings[~np.isnan(film.readings)].tolist()
        read = f"{self.sought.best(living):5.2f} V" if living else "   dead"
        mark = " ★" if share >= GOAL else ""
        path = f"{formula(film.ends[0])} → {formula(film.ends[1])}"
        source = film.source.replace("_", "-")
        true = f"{bar(share)} {percent(share):>7}{mark:2}"
        return f"{film.number:4d}  {path}  {read}  {true}  {source:13} {film.decision_s:5.1f} s"


HEADER = f"{'film':>4}  {'from → to':39}  {'best':>5}    {'best true value found':24}{'chosen by':13}     in"


def percent(share: float, digits: int = 1) -> str:
    """A share as a person writes it: 99.8 %."""
    return f"{100.0 * share:.{digits}f} %"


def bar(share: float) -> str:
    """A share between 0 and 1 as a bar of text."""
    eighths = round(min(max(share, 0.0), 1.0) * _BAR * 8)
    full, part = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[part] if part else "")).ljust(_BAR, "·")
