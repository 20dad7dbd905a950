"""Readings that are not to be believed: how much the others speak against each, and what it then counts.

A wild reading is one whose noise has a standard deviation `WILD` times as large. With eps the share of such readings,
and y_i predicted by all others as N(mu_i, V_i) + noise of variance v_i (its cavity, in closed form from P = K^-1),

    mu_i = y_i - (P y)_i / P_ii,      V_i = 1 / P_ii - c_i v_i                                             (1)
    g_i = eps N(y_i; mu_i, V_i + WILD^2 v_i) / [(1 - eps) N(y_i; mu_i, V_i + v_i) + the numerator]         (2)
    c_i = 1 / (1 - g_i + g_i / WILD^2)                                                                     (3)

g_i is the probability that the reading is wild, and c_i v_i the variance with which it enters K: eq. (1) to (3) are
repeated until c stands still. Where the property itself may jump, V_i is large and nothing is held against a reading;
where none is wild, all c_i are 1 to a few percent.

Source: Box and Tiao 1968, A Bayesian approach to some outlier problems (doi 10.1093/biomet/55.1.119) for the mixture;
the cavity is that of expectation propagation, in closed form by Rasmussen and Williams 2006, eq. 5.12.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.float64]

SHARE = 0.01
"""eps: share of wild readings that is expected."""
WILD = 10.0
"""Standard deviation of a wild reading, in those of a sound one."""
HELD = 0.5
"""Probability from which on a reading is named as an outlier."""


class Doubt(NamedTuple):
    """What is held against each of n readings."""

    probability: Array
    """`n` probabilities g of being wild, eq. (2)."""
    inflation: Array
    """`n` factors c of the variances, eq. (3): 1 where a reading is believed."""


def doubt(residual: Array, latent_variance: Array, noise: Array) -> Doubt:
    """Hold each reading against what all others predict.

    Args:
        residual: `n` readings minus their predictions mu.
        latent_variance: `n` variances V of the predictions, without the reading's own noise.
        noise: `n` variances v of a sound reading.

    Returns:
        Probabilities and factors, eq. (2) and (3).
    """
    sound, wild = latent_variance + noise, latent_variance + WILD**2 * noise
    square = residual * residual
    odds = np.log(SHARE / (1.0 - SHARE)) + 0.5 * (np.log(sound / wild) + square / sound - square / wild)
    probability = expit(odds)
    return Doubt(probability, 1.0 / (1.0 - probability + probability / WILD**2))


def cavity(inverse: Array, y: Array, variance: Array) -> tuple[Array, Array]:
    """Predict each reading from all others, eq. (1).

    Args:
        inverse: `n x n` inverse P of the covariance of the readings.
        y: `n` readings.
        variance: `n` variances c v with which they entered it.

    Returns:
        `n` residuals y - mu and `n` variances V of what is predicted, without the reading's own noise.
    """
    own = np.diag(inverse)
    return (inverse @ y) / own, np.maximum(1.0 / own - variance, 0.0)
