"""Readings as the science wants them: a column per property, a row per reading."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.problem import Problem

_CENSORED = {"above_limit": 1, "below_limit": -1}
"""Sign of what a saturated instrument says, by the status of the reading."""


class Said(Protocol):
    """What a reading says."""

    @property
    def value(self) -> float | None:
        """In the campaign's unit."""

    @property
    def std_uncertainty(self) -> float | None:
        """In the campaign's unit."""

    @property
    def replicates(self) -> int | None:
        """Raw readings behind the value."""

    @property
    def property(self) -> str:
        """What was read."""


def columns_of(problem: Problem, read: Sequence[Said], rows: int) -> dict[str, NDArray[Any]]:
    """`Y`, `Yvar`, `replicates` and `censored` of a dataset, `rows x m` each.

    Args:
        problem: It gives the order of the m properties.
        read: Readings of its properties, the first of the rows; a `status`, if they have one, tells the one-sided.
        rows: How many there are; those beyond the readings are without any.
    """
    column = {p.property: k for k, p in enumerate(problem.properties)}
    shape = rows, len(column)
    at = (np.arange(len(read)), np.array([column[r.property] for r in read], dtype=np.intp))
    Y, Yvar = np.full(shape, np.nan), np.full(shape, np.nan)
    replicates, censored = np.ones(shape), np.zeros(shape, dtype=np.int8)
    Y[at] = [r.value for r in read]
    Yvar[at] = [np.nan if r.std_uncertainty is None else r.std_uncertainty**2 for r in read]
    replicates[at] = [r.replicates or 1 for r in read]
    censored[at] = [_CENSORED.get(getattr(r, "status", "ok"), 0) for r in read]
    return {"Y": Y, "Yvar": Yvar, "replicates": replicates, "censored": censored}


def point_of(problem: Problem, composition: Mapping[str, float], process: dict[str, Any]) -> list[float]:
    """A device as the surrogate sees it: fractions, then process columns."""
    fractions = [composition.get(e, 0.0) for e in problem.space.elements]
    return [*fractions, *problem.space.encode_process(process).tolist()]
