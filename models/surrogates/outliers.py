"""Readings that are not to be believed: how much the others speak against each, and what it then counts.

The noise of a wild reading has a standard deviation 10, 100, 1,000 or more times as large, each a tenth as often as the
one before: a slip of the unit alone is a factor of 1,000, or thousands of standard deviations. With eps_k the share of
readings of each kind (k = 0: sound, r_0 = 1), and y_i predicted by all others as N(mu_i, V_i) + noise of variance v_i
(its cavity, in closed form from P = K^-1),

    mu_i = y_i - (P y)_i / P_ii,      V_i = 1 / P_ii - c_i v_i                                             (1)
    g_ik ~ eps_k N(y_i; mu_i, V_i + r_k^2 v_i),      sum_k g_ik = 1                                        (2)
    1 / c_i = sum_k g_ik / r_k^2                                                                           (3)

1 / c_i is what the reading counts beside a sound one, and c_i v_i the variance with which it enters K: eq. (1) to (3)
are repeated until c stands still. Where the property itself may jump, V_i is large and no reading is blamed;
where none is wild, all c_i are 1 to a few percent.

Source: Box and Tiao 1968, A Bayesian approach to some outlier problems (doi 10.1093/biomet/55.1.119) for the mixture;
the cavity is that of expectation propagation, in closed form by Rasmussen and Williams 2006, eq. 5.12.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WILD = 10.0 ** np.arange(13)
"""r_k: standard deviation of the noise of a reading, in those of a sound one."""
SHARE = 0.01
"""Share of wild readings that is expected."""
SHARES = np.concatenate([[1.0 - SHARE], 0.9 * SHARE / WILD[:-1]])
"""eps_k."""
HELD = 2.0
"""Inflation from which on a reading is named as an outlier: it is wild more likely than not."""


def inflation(residual: Array, latent_variance: Array, noise: Array) -> Array:
    """Hold each reading against what all others predict.

    Args:
        residual: `n` readings minus their predictions mu.
        latent_variance: `n` variances V of the predictions, without the reading's own noise.
        noise: `n` variances v of a sound reading.

    Returns:
        `n` factors c of eq. (3).
    """
    total = latent_variance[:, None] + WILD**2 * noise[:, None]
    log_g = np.log(SHARES) - 0.5 * (np.log(total) + residual[:, None] ** 2 / total)
    g = np.exp(log_g - log_g.max(axis=1, keepdims=True))
    return np.asarray(g.sum(axis=1) / (g @ WILD**-2))


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
