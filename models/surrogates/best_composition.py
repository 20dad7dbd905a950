"""Where a smooth function of the composition is best: a short climb from a good point, inside the feasible region."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.composition import TOLERANCE, SearchSpace
from models.polytope import STEP, Polytope, descend
from models.structures import ZERO

Array = NDArray[np.float64]
Slope = Callable[[Array], tuple[float, Array]]
"""Value and gradient (d) of the function at one composition (d)."""

MOST_REGIONS = 8
"""Most supports around one composition in which a climb is tried."""
CLOSE_ENOUGH = 1e-6
"""A climb ends when a step improves the function by less."""


def climbs(space: SearchSpace, start: Array, slope: Slope) -> Array:
    """Climb from a feasible composition (d) in every support that holds it, at most `MOST_REGIONS`.

    Returns:
        `j x d` feasible compositions where the climbs ended, and the start.
    """
    ends = [start]
    for support in _supports_of(space, start)[:MOST_REGIONS]:
        region = space.region(support)
        if region is not None:
            x = _climb(region, start, slope)
            ends.append(np.where(support & (x > ZERO), x, 0.0))
    return np.array([x for k, x in enumerate(ends) if k == 0 or not space.violations(x)])


def _supports_of(space: SearchSpace, x: Array) -> list[NDArray[np.bool_]]:
    """Supports (d) with every element of `x`, and no further one that would have to be above 0."""
    present, bound = x > TOLERANCE, space.presence().least > 0.0
    listed = space.supports()[0]
    return [m for m in listed if m[present].all() and (m == present)[bound].all()] or [present]


def _climb(region: Polytope, start: Array, slope: Slope) -> Array:
    """The best composition (d) nearby."""

    def loss(v: Array) -> tuple[float, Array]:
        value, gradient = slope(region.from_inner(STEP * v))
        return -value, -STEP * (gradient @ region.basis)

    return descend(region, start, loss, close=CLOSE_ENOUGH)
