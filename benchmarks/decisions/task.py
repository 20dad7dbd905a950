"""What every task of the decision benchmark offers, whatever its landscape.

| symbol | meaning |
| --- | --- |
| K | devices of a film |
| d | elements |
| p | process columns |
| m | objectives |
| F | films that can be listed |
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models.film import Film
from models.problem import Problem

Array = NDArray[np.float64]


class Values(NamedTuple):
    """True values of the devices of one film, in the objectives' own units."""

    nominal: Array
    """`K x m` at the compositions that were asked for: what regret is counted with."""
    made: Array
    """`K x m` at the compositions that came out: what the instrument reads, before its noise."""


def best_so_far(sign: float, measured: Sequence[Array]) -> list[float | None]:
    """Best true value of the first objective after each film; `sign` is -1 where less is better."""
    best, path = np.nan, []
    for values in measured:
        best = np.fmax(best, np.fmax.reduce(sign * values[:, 0]))
        path.append(None if np.isnan(best) else float(sign * best))
    return path


class Task(Protocol):
    """A landscape with its film rule."""

    @property
    def name(self) -> str:
        """Under which campaigns are kept."""
        ...

    @property
    def problem(self) -> Problem:
        """The task as a campaign."""
        ...

    @property
    def films(self) -> int:
        """Budget: films per campaign, the random first ones among them."""
        ...

    @property
    def listed(self) -> tuple[Film, ...] | None:
        """Every film that may be made, where they can be listed."""
        ...

    @property
    def unit(self) -> str:
        """Unit of regrets and of the property."""
        ...

    @property
    def sd(self) -> Array:
        """`m` standard deviations of the properties over the landscape."""
        ...

    @property
    def best(self) -> float:
        """Best score there is."""
        ...

    @property
    def goal(self) -> float:
        """Score at which a campaign has reached its goal: the best 1 % of the landscape, unless the task says else."""
        ...

    def values(self, film: Film, error: Array) -> Values:
        """True values of a film; `error` (K x d) is how far, in fractions, each composition missed before closure."""
        ...

    def scores(self, measured: Sequence[Array]) -> list[float | None]:
        """What a campaign has reached after each film, in the first objective's direction.

        Args:
            measured: Per film, `K x m` true values; NaN where a device is dead.

        Returns:
            The best true value so far, unless the task says else; None while no device has given one.
        """
        ...

    def starts(self, seed: int) -> list[Film]:
        """The two random films with which every arm begins."""
        ...

    @property
    def grid(self) -> Array:
        """`j x d` compositions among which a peer that needs a list may choose, whole at.%."""
        ...

    def pool(self) -> Array:
        """`j x (d + p)` points among which a model's best posterior mean is sought."""
        ...

    def truth(self, points: Array) -> Array:
        """`j x m` true values at points of `pool`."""
        ...
