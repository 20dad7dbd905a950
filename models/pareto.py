"""The geometry of trade-offs between objectives that are all maximised: fronts and reference points.

| symbol | meaning | shape |
| --- | --- | --- |
| n, m | points, objectives | |
| Y | values at points | n x m |

The hypervolume of points above a reference is the volume of everything that some point is at least as good as in every
objective: it is counted along directions (`directions.py`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.objective import Objective

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

BELOW = 0.1
"""An inferred reference lies this share of the front's range below the front's worst value."""


def non_dominated(Y: Array) -> Mask:
    """Points (n x m) than which none is as good in every objective and better in one: `n`. Equal points all stay."""
    left, front = np.lexsort((*-Y.T, -Y.sum(axis=1))), np.zeros(len(Y), dtype=bool)
    while len(left):
        # Whatever dominates has a larger sum, or comes before among equal ones: the first is on the front.
        first, others = Y[left[0]], Y[left]
        equal = np.all(others == first, axis=1)
        front[left[equal]] = True
        left = left[np.any(others > first, axis=1)]
    return front


def inferred_reference(Y: Array) -> Array:
    """Infer the point above which hypervolume is counted, so that every likely trade-off lies above it.

    It is the front's worst value in each objective less a tenth of the front's range there, and never above the
    median: a front of one or two points must not make everything beside it worthless. A single objective counts from
    below its least value.

    Args:
        Y: `n x m` expected values where something was read; n >= 1.

    Returns:
        `m`.
    """
    front = Y[non_dominated(Y)] if Y.shape[1] > 1 else Y
    below_front = front.min(0) - BELOW * np.ptp(front, axis=0)
    return np.asarray(np.minimum(below_front, np.median(Y, axis=0)))


def reference_point(objectives: Sequence[Objective], Y: Array) -> Array:
    """Where each objective begins to count: as the campaign says, else inferred.

    An objective with a target counts from twice its tolerance away from it at least: where every reading is as good as
    the target, nothing would be worth more, and so no film anything, whatever else is sought.

    Args:
        objectives: The campaign's, m of them.
        Y: `n x m` expected values, maximised, where something was read and the outcomes are likely within limits.

    Returns:
        `m` maximised values.
    """
    given = [None if o.reference is None else o.to_maximised(np.asarray(o.reference)) for o in objectives]
    most = [np.inf if o.target is None else -o.tolerance for o in objectives]
    inferred = np.minimum(inferred_reference(Y), most)
    return np.array([i if g is None else g for g, i in zip(given, inferred, strict=True)])
