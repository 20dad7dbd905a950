"""Hypervolume without slices or directions: a sweep in two dimensions, inclusion and exclusion in any."""

from itertools import combinations

import numpy as np


def sweep(Y):
    """Area between the origin and points (n x 2), by walking along the staircase."""
    area, height = 0.0, 0.0
    for x, y in sorted(np.maximum(Y, 0.0).tolist(), reverse=True):
        area += x * max(y - height, 0.0)
        height = max(height, y)
    return area


def inclusion_exclusion(Y):
    """Volume between the origin and few points (n x m): the boxes less what they share, and so on."""
    Y = np.maximum(Y, 0.0)
    return sum(
        (-1.0) ** (size + 1) * np.prod(Y[list(chosen)].min(axis=0))
        for size in range(1, len(Y) + 1)
        for chosen in combinations(range(len(Y)), size)
    )
