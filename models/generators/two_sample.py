"""Can draws be told from data? A classifier two-sample test without any parameter to train.

The classifier is the vote of the five nearest neighbours among equally many draws and data, each judged by all others.
Far is what differs in its fractions (sum of absolute differences) and in its elements (0.1 for each that only one has):
traces of many elements are small in fractions, and no alloy has them. The figure is twice the accuracy minus 1: 0 if
nobody can tell, 1 if every point is told right, below 0 where draws and data avoid each other.

On the 630 mpea alloys, a fifth of which is held out, alloys resampled with replacement score 0.12 on three splits and
0.02 on eight others, a Gaussian mixture of log ratios without fractions below 0.01 scores 0.62 on the three, traces of
every element score 1.0.

Source: Lopez-Paz and Oquab 2017, Revisiting Classifier Two-Sample Tests (arXiv 1610.06545).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Array = NDArray[np.float64]

NEIGHBOURS = 5
"""Odd, so that a vote is never a tie."""
PRESENCE = 0.1
"""How far apart compositions are for each element that only one of them has."""
MOST_ROUNDS = 8
"""Subsets of the larger sample that are compared with the smaller one, one after the other."""


def two_sample_test(drawn: Array, real: Array, seed: int = 0) -> float:
    """How surely draws are told from data, -1 to 1; 0 is what a perfect generator has on the average.

    Args:
        drawn: `j x d` compositions of the generator.
        real: `n x d` compositions that it has not seen.
        seed: Splits the larger sample into parts of the size of the smaller one; the mean over the parts is taken.

    Returns:
        NaN with fewer than `NEIGHBOURS + 1` points on a side.
    """
    size = min(len(drawn), len(real))
    if size <= NEIGHBOURS:
        return float("nan")
    rng = np.random.default_rng(seed)
    rounds = max(1, min(MOST_ROUNDS, max(len(drawn), len(real)) // size))
    many, few = (drawn, real) if len(drawn) > len(real) else (real, drawn)
    order = rng.permutation(len(many))
    parts = [many[order[k * size : (k + 1) * size]] for k in range(rounds)]
    return float(np.mean([_told_apart(part, few, rng) for part in parts]))


def _told_apart(one: Array, other: Array, rng: np.random.Generator) -> float:
    points, side = np.vstack([one, other]), np.repeat([-1.0, 1.0], [len(one), len(other)])
    # In random order: of neighbours at equal distance none is preferred for its side.
    order = rng.permutation(len(points))
    points, side = points[order], side[order]
    told_by = np.hstack([points, PRESENCE * (points > 0.0)])
    distance = cdist(told_by, told_by, "cityblock")
    np.fill_diagonal(distance, np.inf)
    votes = side[np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBOURS]].sum(axis=1)
    return 2.0 * float(np.mean(np.sign(votes) == side)) - 1.0
