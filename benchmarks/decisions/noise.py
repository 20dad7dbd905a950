"""What the lab does to a film, the same for every arm: each draw depends on task, seed and number of the film only.

    y_k = truth(composition as made) + offset + drift + noise_k

Amounts are in standard deviations of the property over the landscape unless they say otherwise. Each is a switch: an
effect that is off leaves the random numbers of all others as they were.
"""

import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.task import Task
from models.film import Film

Array = NDArray[np.float64]


class _Stream(IntEnum):
    COMPOSITION = 0
    OFFSET = 1
    DEVICE = 2
    DEATH = 3
    OUTLIER = 4
    DRIFT = 5


class Reading(NamedTuple):
    """One film after its measurement."""

    y: Array
    """`K x m` readings; NaN where the device is dead."""
    true: Array
    """`K x m` true values at the compositions asked for."""


@dataclass(frozen=True)
class Noise:
    """Amounts of every effect."""

    device: float = 0.05
    """Standard deviation of a reading."""
    offset: float = 0.0
    """Standard deviation of what all devices of a film have in common."""
    drift: float = 0.02
    """What the instrument reads more, or less, with every film; the direction is drawn once per campaign."""
    composition: float = 0.005
    """Standard deviation, in fractions, by which each composition misses."""
    dead: float = 0.05
    """Share of devices without a reading."""
    outliers: float = 0.02
    """Share of readings whose own noise is `wild` times as large."""
    wild: float = 10.0

    def measure(self, task: Task, seed: int, number: int, film: Film) -> Reading:
        """Make and measure the film `number` (0, 1, ...) of the campaign `seed`."""
        shape = (len(film.s), len(task.problem.objectives))
        rng = _Draws(task.name, seed, number)
        error = self.composition * rng.of(_Stream.COMPOSITION).standard_normal((shape[0], len(film.a)))
        true = task.values(film, error)
        way = np.sign(_Draws(task.name, seed, 0).of(_Stream.DRIFT).uniform(-1.0, 1.0, shape[1]))
        wild = rng.of(_Stream.OUTLIER).random(shape) < self.outliers
        own = self.device * np.where(wild, self.wild, 1.0) * rng.of(_Stream.DEVICE).standard_normal(shape)
        shared = self.offset * rng.of(_Stream.OFFSET).standard_normal(shape[1]) + self.drift * number * way
        dead = rng.of(_Stream.DEATH).random(shape[0]) < self.dead
        return Reading(np.where(dead[:, None], np.nan, true.made + task.sd * (own + shared)), true.nominal)


@dataclass(frozen=True)
class _Draws:
    """Streams of random numbers of one film."""

    task: str
    seed: int
    number: int

    def of(self, stream: _Stream) -> np.random.Generator:
        return np.random.default_rng([zlib.crc32(self.task.encode()), self.seed, self.number, int(stream)])
