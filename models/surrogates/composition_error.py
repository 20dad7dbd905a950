"""What an error of the measured composition does to a reading: the steeper the property, the less a reading says.

A device of fractions x is said to have x + e, with e ~ N(0, Sigma) and Sigma = s^2 (I - 1 1^T / d): fractions sum to 1
however wrong they are. Near x the reading is then off by J e, with J the gradient of the posterior mean,

    J_i = -s_f^2 / lengthscale sum_j g_ij a_j (z_i - z_j),         a = K^-1 y                              (1)
    added_i = J Sigma J^T = s^2 (|J|^2 - (1^T J)^2 / d)                                                    (2)

which makes K depend on itself: (1) and (2) are repeated from `added = 0`.

Source: McHutchon and Rasmussen 2011, Gaussian process training with input noise (NIPS 24), eq. 5.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from models.surrogates.evidence import Evidence, cholesky
from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.hyperparameters import Hyperparameters
from models.surrogates.kernels import matern52_slope

Array = NDArray[np.float64]

PASSES = 2
"""How often eq. (1) and (2) are repeated; a third changes little."""


def mean_gradient(z: Array, read: Array, weights: Array, h: Hyperparameters) -> Array:
    """Eq. (1): gradient of the posterior mean by points in widths of the search space.

    Args:
        z: `q x D` scaled points.
        read: `n x D` scaled points of the readings.
        weights: `n` weights a, 0 for readings that are not of f.
        h: Hyperparameters.

    Returns:
        `q x D`.
    """
    pull = matern52_slope(z, read) * weights
    return np.asarray(-h.output_variance * (pull.sum(1)[:, None] * z - pull @ read) / h.lengthscales)


def by_fraction(gradient: Array, state: FilmGPState, elements: int) -> Array:
    """Gradients by fractions, `q x d`, from those by all columns in their widths (q x D): totals are sums of them."""
    in_units = gradient / state.width
    slope: Array = in_units[:, :elements]
    if len(state.totals):
        slope = slope + in_units[:, -len(state.totals) :] @ state.totals
    return slope


def composition_variance(slope: Array, sd: float) -> Array:
    """Eq. (2).

    Args:
        slope: `q x d` gradients by fractions.
        sd: s, in atomic fractions.

    Returns:
        `q` variances in standardised units.
    """
    along = (slope**2).sum(1) - slope.sum(1) ** 2 / slope.shape[1]
    return np.asarray(sd**2 * np.maximum(along, 0.0))


def with_composition_error(state: FilmGPState, elements: int, sd: float) -> FilmGPState:
    """The same model, whose readings are less sure where it is steep.

    Args:
        state: With hyperparameters.
        elements: d, the number of its columns that are fractions.
        sd: Standard deviation s of a measured fraction.

    Raises:
        FitFailed: If a covariance of the readings has no Cholesky factor.
    """
    state = replace(state, added=np.empty((0, 0)), composition_error=np.empty(0))
    if sd == 0.0:
        return state
    for _ in range(PASSES):
        columns = [_added(state, k, elements, sd) for k in range(state.Y.shape[1])]
        state = replace(state, added=np.column_stack(columns))
    return replace(state, composition_error=np.array([sd, elements]))


def _added(state: FilmGPState, column: int, elements: int, sd: float) -> Array:
    """Eq. (2) at all `n` readings of the state, in physical units; 0 where the objective was not read."""
    data, h = state.readings(column), state.hyperparameters[column]
    weights = lapack.dpotrs(cholesky(Evidence(data).covariance(h)[0]), data.y, lower=1)[0]
    z, material = data.x / h.lengthscales, data.material()
    gradient = mean_gradient(z, z, np.where(material, weights, 0.0), h)
    added = np.zeros(len(state.Y))
    variance = composition_variance(by_fraction(gradient, state, elements), sd)
    added[~np.isnan(state.Y[:, column])] = np.where(material, variance, 0.0) * state.scale[column] ** 2
    return added
