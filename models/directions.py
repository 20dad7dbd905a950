"""Hypervolume along directions: how far points reach from the reference point.

| symbol | meaning | shape |
| --- | --- | --- |
| n, m | points, objectives, all maximised | |
| Y | values at points, above the reference point | n x m |
| L | directions | |

The hypervolume of points above a reference is the volume of everything that some point is at least as good as in every
objective. Seen from the reference along a direction u it reaches as far as the best point does in its worst objective:

    rho(u) = max_k min_i Y_ki / u_i,        hypervolume = E[ max(rho(u), 0)^m ]                            (1)

over u uniform on those faces of the unit cube where some u_i = 1: a cone over a unit face has the volume element
t^(m-1) dt du, and there are m faces, each of 1/m of the probability. For m = 1, u = 1. Eq. (1) needs no boxes, takes
any number of points together and has a gradient in each of them.

Source: eq. (1) is the polar form of Deng and Zhang 2019 (IEEE Trans. Evol. Comput. 23, 913) and of Golovin and Zhang
2020 (arXiv 2006.04655), here on a cube instead of a sphere, where its constant is 1.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

Array = NDArray[np.float64]

LEAST = 1e-4
"""Least component of a direction: nothing is divided by less."""


def directions(count: int, per_face: int, objectives: int, seed: int) -> Array:
    """Directions of eq. (1): `count` sets, each of which covers every face evenly.

    Args:
        count: Number of sets.
        per_face: Directions through each face, a power of 2.
        objectives: Number of objectives, m.
        seed: Of the scrambled net from which they are taken.

    Returns:
        `count x (m per_face) x m`; for one objective `count x 1 x 1` ones.
    """
    if objectives == 1:
        return np.ones((count, 1, 1))
    rng = np.random.default_rng(seed)
    net = qmc.Sobol(objectives - 1, rng=rng)
    total = count * per_face * objectives
    drawn = net.random_base2((total - 1).bit_length())[:total].reshape(objectives, count, per_face, objectives - 1)
    faces = [np.insert(face, k, 1.0, axis=-1) for k, face in enumerate(drawn)]
    # In an order of their own: whoever pairs them with another net would find the two in step.
    return np.asarray(np.maximum(rng.permutation(np.concatenate(faces, axis=1)), LEAST))


def reach(Y: Array, u: Array) -> Array:
    """How far each point reaches along directions: `... x n x L` of `... x n x m` and `... x L x m`; see eq. (1)."""
    far = Y[..., :, None, 0] / u[..., None, :, 0]
    for i in range(1, Y.shape[-1]):
        far = np.minimum(far, Y[..., :, None, i] / u[..., None, :, i])
    return far
