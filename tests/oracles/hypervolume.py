"""Hypervolume without directions: by slices, for many sets at once, and by inclusion and exclusion, for few points."""

from itertools import combinations

import numpy as np


def hypervolume(Y):
    """Volumes (...) between the origin and points (... x n x m), one slice of the last objective after another."""
    Y = np.maximum(Y, 0.0)
    if Y.shape[-1] == 1:
        return Y[..., 0].max(-1)
    falling = np.argsort(-Y[..., -1], axis=-1, kind="stable")
    Y = np.take_along_axis(Y, falling[..., None], axis=-2)
    thickness = Y[..., -1] - np.concatenate([Y[..., 1:, -1], np.zeros((*Y.shape[:-2], 1))], axis=-1)
    area = np.stack([hypervolume(Y[..., : k + 1, :-1]) for k in range(Y.shape[-2])], axis=-1)
    return (thickness * area).sum(-1)


def inclusion_exclusion(Y):
    """Volume between the origin and few points (n x m): the boxes less what they share, and so on."""
    Y = np.maximum(Y, 0.0)
    return sum(
        (-1.0) ** (size + 1) * np.prod(Y[list(chosen)].min(axis=0))
        for size in range(1, len(Y) + 1)
        for chosen in combinations(range(len(Y)), size)
    )
