"""Is the noise the same everywhere? A fit that lets it vary where the readings ask for it, and only there.

With w the weights of the log noise (`noise_basis.py`), s the slope of the log evidence by the log variances m and I
their expected information (Fisher), both without variation,

    H = phi^T I phi, less what a change of sigma^2 alone explains,   g = phi^T s                            (1)
    expected gain of tau = 1/2 tau^2 g^T S^-1 g - 1/2 log|S|,   S = 1 + tau^2 H                            (2)
    gain = log p(y, w) - 1/2 log|S(w)| - log p(y, w = 0) - ODDS                                            (3)

(2) is the score test in its Bayesian form: where it says no, nothing more is fitted. (3) is Laplace's approximation to
the evidence of both models; the varying one is taken where it is larger. S(w)^-1 is the covariance of w given the
readings: where they say little of the noise, it is not only unknown but on average larger.

Source: MacKay 2003, Information Theory, Inference, and Learning Algorithms, chapter 27 and 28; the information of the
variances of a Gaussian: Kay 1993, Fundamentals of Statistical Signal Processing, eq. 3.32.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.surrogates.evidence import Evidence, Readings
from models.surrogates.fitting import MOST_EVALUATIONS, Fit, fit
from models.surrogates.hyperparameters import NOISE_VARIANCE, Hyperparameters, Layout, log_prior

Array = NDArray[np.float64]

SPREADS = (0.5, 1.0)
"""tau: noise variances that differ by a factor of 1.6 or 2.7 are nothing unusual. With 2 as well, readings that were
left out were predicted better in some data sets and worse in others."""
DEAR = 600
"""Readings beyond which the climb to varying noise ends early."""
ENOUGH = 16
"""Evaluations of that climb: with 780 readings it ends 0.1 below the top, of 121.8 to be gained, in 0.5 s for 1.2."""
ODDS = 2.0
"""Log odds against noise that varies before any reading. Without them it is found in half of all campaigns of 8 to 13
short films over real landscapes whose noise is even, and f is known no better for it; with 4 it is found late.
"""
WORTH_A_TRY = 0.0
"""Expected gain, eq. (2), from which the varying noise is fitted. Of 22 data sets with even or uneven noise the sign of
(2) was that of (3) but for the odds in 21, and the 22nd gained 0.0.
"""


def fit_noise(
    data: Readings,
    *,
    layout: Layout,
    seed: int,
    starts: int,
    previous: Hyperparameters | None,
    progress: Callable[[str], None],
    plain: Fit | None = None,
) -> Fit:
    """Find the hyperparameters of largest evidence times prior, with noise that varies if that explains more.

    Args:
        data: Scaled, standardised readings; without features the noise is the same everywhere.
        layout: Which parameters are fitted; the noise of this layout is the same everywhere.
        seed: Seed of the random starts.
        starts: How many climbs in all.
        previous: Where the first climb starts.
        progress: Called at each evaluation.
        plain: The fit of noise that is the same everywhere, if it is made already.

    Raises:
        FitFailed: If no climb ends at a finite value.
    """
    if plain is None:
        plain = fit(data, layout=layout, seed=seed, starts=starts, previous=previous, progress=progress)
    spread = None if data.features is None else promising_spread(data, plain.hyperparameters)
    if data.features is None or spread is None:
        return plain
    free = replace(layout, weights=data.features.shape[1], noise_spread=spread)
    before = previous if previous is not None and previous.layout().weights == free.weights else plain.hyperparameters
    most = MOST_EVALUATIONS if len(data.y) <= DEAR else ENOUGH
    varying = fit(data, layout=free, seed=seed, starts=1, previous=before, progress=progress, most=most)
    evaluations = plain.evaluations + varying.evaluations
    best = max((plain, varying), key=lambda found: log_posterior(data, found, layout.elements, layout.totals))
    return replace(best, evaluations=evaluations, starts=starts + 1)


def promising_spread(data: Readings, h: Hyperparameters) -> float | None:
    """The tau of largest expected gain, eq. (2); None where no variation is worth a fit.

    Args:
        data: Readings with features.
        h: Fitted with noise that is the same everywhere.
    """
    slope, H = _by_weights(data, h)
    gains = {}
    for tau in SPREADS:
        S, g = np.eye(len(H)) + tau**2 * H, tau * slope
        gains[tau] = 0.5 * float(g @ np.linalg.solve(S, g)) - 0.5 * _log_determinant(S)
    best = max(gains, key=lambda tau: gains[tau])
    return best if gains[best] > WORTH_A_TRY else None


def log_posterior(data: Readings, found: Fit, elements: int = 0, totals: int = 0) -> float:
    """Log evidence of a model, up to what does not depend on how its noise varies: eq. (3)."""
    h = found.hyperparameters
    value = found.log_evidence + log_prior(h.theta(), h.layout(elements, totals).priors())[0]
    if h.noise_spread == 0.0:
        return value
    _, H = _by_weights(data, h)
    return value - 0.5 * _log_determinant(np.eye(len(H)) + h.noise_spread**2 * H) - ODDS


def weight_covariance(data: Readings, h: Hyperparameters) -> Array:
    """Covariance of the weights of the noise given the readings, `B x B`; 0 where it is the same everywhere.

    Raises:
        FitFailed: If the covariance of the readings has no Cholesky factor.
    """
    if h.noise_spread == 0.0:
        return np.zeros((0, 0) if data.features is None else (data.features.shape[1],) * 2)
    _, H = _by_weights(data, h)
    return np.asarray(np.linalg.inv(np.eye(len(H)) + h.noise_spread**2 * H))


def _by_weights(data: Readings, h: Hyperparameters) -> tuple[Array, Array]:
    """G (B) and H (B x B) of eq. (1), per unit of tau."""
    slope, information = Evidence(data).noise_information(h)
    features = np.column_stack(
        [np.ones(len(data.y)), np.empty((len(data.y), 0)) if data.features is None else data.features]
    )
    all_ = features.T @ information @ features
    level = all_[0, 0] + NOISE_VARIANCE.sd**-2
    return (slope @ features)[1:], all_[1:, 1:] - np.outer(all_[0, 1:], all_[0, 1:]) / level


def _log_determinant(S: Array) -> float:
    return float(np.linalg.slogdet(S)[1])
