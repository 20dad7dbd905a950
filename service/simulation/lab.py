"""What a real lab does to a film: compositions that miss, offsets, drift, noise, dead devices. All of it by seed.

Every draw depends on the seed, the film's number in its campaign and the device only, never on which thread came
first; so one robot with the same seed sees the same lab again. Notation: K devices.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from service.simulation.wafer import Array, Wafer


class _Stream(IntEnum):
    """One stream of random numbers per effect, so that switching one effect off leaves the others as they were."""

    COMPOSITION = 0
    OFFSET = 1
    NOISE = 2
    DEATH = 3


@dataclass(frozen=True)
class Lab:
    """A lab around a wafer. Standard deviations and shares of 0 switch an effect off."""

    wafer: Wafer
    seed: int = 0
    noise_v: float = 0.15
    """Standard deviation of each reading."""
    film_offset_v: float = 0.15
    """Standard deviation of the offset shared by all readings of a film."""
    composition_error: float = 0.003
    """Standard deviation of each atomic fraction as made around the one proposed."""
    dead_share: float = 0.03
    """Probability that a device gives no value."""
    drift_v_per_film: float = 0.01
    """What the instrument reads more, film after film."""
    deposition_s: float = 0.2
    """Time that making one film takes; a real one takes an hour."""

    def __post_init__(self) -> None:
        for name in ("noise_v", "film_offset_v", "composition_error", "deposition_s"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")
        if not 0.0 <= self.dead_share <= 1.0:
            raise ValueError(f"dead_share is {self.dead_share}; it must lie between 0 and 1")

    def make(self, film_number: int, proposed: Array) -> Array:
        """Deposit a film.

        Args:
            film_number: 1, 2, … in the campaign.
            proposed: `K x 3` fractions.

        Returns:
            `K x 3` fractions as made: none negative, each row sums to 1.
        """
        error = self._random(film_number, _Stream.COMPOSITION).normal(0.0, 1.0, proposed.shape)
        made = np.clip(proposed + self.composition_error * error, 0.0, None)
        return np.asarray(made / made.sum(axis=1, keepdims=True))

    def read(self, film_number: int, as_made: Array) -> Array:
        """Measure every device of a film.

        Args:
            film_number: 1, 2, … in the campaign.
            as_made: `K x 3` fractions.

        Returns:
            `K` readings in V; NaN where the device is dead.
        """
        devices = len(as_made)
        offset = self.film_offset_v * self._random(film_number, _Stream.OFFSET).normal()
        noise = self.noise_v * self._random(film_number, _Stream.NOISE).normal(size=devices)
        drift = self.drift_v_per_film * (film_number - 1)
        dead = self._random(film_number, _Stream.DEATH).random(devices) < self.dead_share
        return np.where(dead, np.nan, self.wafer.truth(as_made) + offset + drift + noise)

    def _random(self, film_number: int, stream: _Stream) -> np.random.Generator:
        return np.random.default_rng([self.seed, film_number, int(stream)])
