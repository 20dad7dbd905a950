"""A made-up table of alloys: a few families of elements, and a hardness that follows from the fractions."""

import numpy as np

from models.generators.base import Examples

ELEMENTS = ("Fe", "Co", "Ni", "Cr", "Al", "Ti")
FAMILIES = ((0, 1, 2), (0, 2, 3), (1, 2, 3, 4), (0, 1, 2, 3, 4), (4, 5))
SLOPE = np.array([100.0, 150.0, 80.0, 300.0, 500.0, 700.0])


def hardness(X):
    return X @ SLOPE + 400.0 * X[:, 4] * X[:, 5]


def alloys(count, seed, elements=ELEMENTS, unknown=0.3):
    """`count` alloys in random order; `unknown` of them without a hardness, and with a temperature in most cases."""
    rng = np.random.default_rng(seed)
    X = np.zeros((count, len(elements)))
    family = rng.integers(len(FAMILIES), size=count)
    for row, members in enumerate(FAMILIES[k] for k in family):
        X[row, list(members)] = rng.dirichlet(np.full(len(members), 5.0))
    y = hardness(X) + 5.0 * rng.standard_normal(count)
    y[rng.random(count) < unknown] = np.nan
    P = rng.random((count, 1))
    P[rng.random(count) < 0.2] = np.nan
    groups = np.array([f"film-{k // 4:03d}" for k in range(count)])
    return Examples(elements, ("hardness",), ("anneal",), X, y[:, None], P, groups, y)
