"""How well hyperparameters explain one column of readings: the log evidence and its gradient.

Notation: n standardised readings y at scaled points, F the `n x n` matrix that is 1 where two readings share a film,
G_s that is 1 where both come from the source s of prior data, t measurement times, phi_i the features of a reading for
its noise (`noise_basis.py`), w their weights.

    K = s_f^2 k(r) + c + s_b^2 F + s_g^2 (exp(-|t - t'| / l) - exp(-(|t| + |t'|) / l)) + diag(v)
        + sum_s G_s (o + s_s^2 k(r))                                                                      (1)
    v_i = inflation_i (known variance, or m_i, + e_s^2) + added_i,      log m_i = log sigma^2 + tau phi_i^T w      (2)
    log p(y) = -1/2 y^T K^-1 y - 1/2 log|K| - n/2 log(2 pi)                                               (3)
    d log p / d theta = 1/2 tr(M dK/d theta),   M = a a^T - K^-1,   a = K^-1 y                            (4)
    log p(s^2) = -1/2 sum_i nu_i (log m_i + s_i^2 / m_i),  variances s_i^2 stated with nu_i degrees       (5)

Drift is that of an Ornstein-Uhlenbeck process, counted from t = 0. Readings of a calibration sample share a constant of
their own instead of f, c and the film effect. Readings of prior data are of f, of an offset of their source with the
wide variance o, and of a discrepancy that varies like f does (`prior_data.py`); they scatter by e_s^2 more. Equation
(5) lets variances that are known speak of the noise where none is known.

Source: Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, eq. 2.30 and 5.9; theta holds
logarithms. The value and the whole gradient cost one Cholesky factor, one inverse from it and two matrix products.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from models.errors import FitFailed
from models.surrogates.hyperparameters import Hyperparameters, Layout
from models.surrogates.kernels import lengthscale_gradient, matern52

Array = NDArray[np.float64]

NUGGET = 1e-6
"""Least variance of a reading, in standardised units: repeats said to have no noise must stay invertible."""
CONSTANT_VARIANCE = 1.0
"""c of eq. (1): prior variance of the constant mean, in standardised units."""
SAMPLE_VARIANCE = 10.0
"""Prior variance of a calibration sample's own constant, in standardised units; its readings are centred first."""
OFFSET_VARIANCE = 10.0
"""o of eq. (1): prior variance of the offset of prior data, in standardised units; each source is centred first."""
POSTERIOR_JITTER = 1e-7
"""Added to the posterior variance, relative to the prior's: joint samples at devices 0.1 at.% apart need it."""
JITTERS = (0.0, 1e-8, 1e-6, 1e-4)
"""Tried in turn, relative to the mean variance, until the covariance has a Cholesky factor."""


@dataclass(frozen=True)
class Readings:
    """One column of D_t, ready for the evidence: scaled and standardised."""

    x: Array
    """`n x D` points in widths of the search space."""
    y: Array
    """`n` standardised readings."""
    known_variance: Array
    """`n` standardised variances, NaN where the noise is inferred."""
    film: NDArray[np.intp]
    """`n` film numbers."""
    inflation: Array | float = 1.0
    """`n` factors of the variances, known or inferred: large where a reading is held for an outlier."""
    added: Array | float = 0.0
    """`n` variances that come on top: what an error of the composition does to a reading."""
    features: Array | None = None
    """`n x B` features phi of the noise, eq. (2); None where the noise is the same everywhere."""
    time: Array | None = None
    """`n` times in spans of the campaign, 0 where drift is counted from; None where drift is left out."""
    sample: NDArray[np.intp] | None = None
    """`n` numbers of the calibration samples, -1 for a material of the search space; None where all are -1."""
    stated: Array | None = None
    """`n` variances s^2 that speak of the noise, eq. (5); any value where `degrees` is 0."""
    degrees: Array | None = None
    """`n` degrees of freedom nu of eq. (5)."""
    source: NDArray[np.intp] | None = None
    """`n` numbers of the sources of prior data, -1 for the campaign's own readings; None where all are -1."""

    def inferred(self, h: Hyperparameters) -> Array:
        """`n` variances m of eq. (2): what the noise model says of each reading."""
        if self.features is None or h.noise_spread == 0.0:
            return np.full(len(self.y), h.noise_variance)
        return np.asarray(h.noise_variance * np.exp(h.noise_spread * (self.features @ h.noise_weights)))

    def noise(self, h: Hyperparameters) -> Array:
        """`n` variances v of eq. (2)."""
        known = ~np.isnan(self.known_variance)
        own = np.where(known, np.where(known, self.known_variance, 0.0), self.inferred(h))
        return np.asarray(self.inflation * (own + self.scatter(h)) + self.added + NUGGET)

    def scatter(self, h: Hyperparameters) -> Array | float:
        """`n` variances e_s^2 of eq. (2): 0 for own readings."""
        return 0.0 if self.source is None else np.append(h.scatter, 0.0)[self.source]

    def material(self) -> NDArray[np.bool_]:
        """`n`: whether the reading is of a material of the search space, not of a calibration sample."""
        return np.ones(len(self.y), dtype=bool) if self.sample is None else self.sample < 0

    def own(self) -> NDArray[np.bool_]:
        """`n`: whether the reading is of a film of the campaign, not of a calibration sample and not of prior data."""
        return self.material() if self.source is None else self.material() & (self.source < 0)

    def prior(self) -> NDArray[np.bool_]:
        """`n`: whether the reading is of prior data."""
        return np.zeros(len(self.y), dtype=bool) if self.source is None else self.source >= 0

    def typical(self) -> NDArray[np.bool_]:
        """`n`: the readings that stand for the campaign's: its own, or those of prior data as long as it has none."""
        own = self.own()
        return own if own.any() else self.material()


def cholesky(covariance: Array) -> Array:
    """Lower Cholesky factor, `n x n`, with as little jitter as it takes.

    Raises:
        FitFailed: If the matrix is not positive definite, or not finite, with the largest jitter.
    """
    if not covariance.size:
        return covariance  # of readings that are all one-sided, nothing is known beside the prior
    scale = float(np.mean(np.diag(covariance)))
    for jitter in JITTERS if np.isfinite(scale) else ():
        # The transpose of a symmetric C-ordered matrix is the Fortran-ordered matrix that LAPACK wants.
        matrix = covariance.T if jitter == 0.0 else covariance.T + jitter * scale * np.eye(len(covariance))
        factor, info = lapack.dpotrf(matrix, lower=1, clean=1, overwrite_a=0)
        if info == 0:
            return np.asarray(factor)
    raise FitFailed(f"the covariance of {len(covariance)} readings has no Cholesky factor")


class Evidence:
    """Eq. (3) and (5) and their gradient for one column of readings, as a function of theta."""

    def __init__(self, data: Readings, layout: Layout | None = None) -> None:
        """Prepare what does not change.

        Args:
            data: The readings.
            layout: What theta holds; by default neither drift nor varying noise.
        """
        n = len(data.y)
        self.data = data
        self._layout = layout
        self._same_film = np.asarray(data.film[:, None] == data.film, dtype=np.float64)
        self._space = np.empty((3, n, n))
        self._apart: tuple[Array, Array] | None = None
        self._constant: Array | float = CONSTANT_VARIANCE
        self._mask: Array | None = None
        if data.sample is not None:
            material = data.material().astype(np.float64)
            self._mask = np.multiply.outer(material, material)
            same_sample = (data.sample[:, None] == data.sample) & (data.sample >= 0)
            self._constant = CONSTANT_VARIANCE * self._mask + SAMPLE_VARIANCE * same_sample
            self._same_film *= self._mask
        self._sources: list[tuple[NDArray[np.intp], ...]] = []
        if data.source is not None:
            self._sources = [_block(data.source == s) for s in range(int(data.source.max()) + 1)]
            same_source = (data.source[:, None] == data.source) & (data.source >= 0)
            self._constant = self._constant + OFFSET_VARIANCE * same_source

    def covariance(self, h: Hyperparameters) -> tuple[Array, Array, Array]:
        """K of eq. (1), the correlations k and their factors g, `n x n` each, valid until the next call."""
        k, g = matern52(self.data.x / h.lengthscales, self._space)
        if self._mask is not None:
            k *= self._mask
            g *= self._mask
        total = np.multiply(k, h.output_variance, out=self._space[2])
        for block, variance in zip(self._sources, h.discrepancy, strict=False):
            total[block] += variance * k[block]
        total += self._constant
        if h.film_variance > 0.0:
            total += h.film_variance * self._same_film
        if h.drift_variance > 0.0:
            total += self._drift(h)
        total[np.diag_indices_from(total)] += self.data.noise(h)
        return total, k, g

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Log evidence at `theta` and its gradient.

        Raises:
            FitFailed: If the covariance cannot be factorised.
        """
        n, dimension = self.data.x.shape
        layout = self._layout
        h = Hyperparameters.from_theta(theta, dimension) if layout is None else layout.hyperparameters(theta)
        total, k, g = self.covariance(h)
        factor = cholesky(total)
        a = lapack.dpotrs(factor, self.data.y, lower=1)[0]
        value = -0.5 * self.data.y @ a - np.log(np.diag(factor)).sum() - 0.5 * n * math.log(2.0 * math.pi)
        m = np.multiply.outer(a, a, out=total)
        m -= symmetric_inverse(factor)
        stated, by_noise = self._noise_slope(h, np.diag(m))
        variances = [0.5 * h.output_variance * float(np.vdot(m, k)), float(by_noise.sum())]
        if h.film_variance > 0.0:
            variances.append(0.5 * h.film_variance * float(np.vdot(m, self._same_film)))
        if h.drift_variance > 0.0:
            variances += self._drift_slope(h, m)
        variances += self._discrepancy_slope(h, m, k)
        if self.data.source is not None:
            weighed = 0.5 * self.data.inflation * self.data.scatter(h) * np.diag(m)
            variances += [float(weighed[self.data.source == s].sum()) for s in range(len(h.scatter))]
        g *= m
        for block, variance in zip(self._sources, h.discrepancy, strict=False):
            g[block] *= 1.0 + variance / h.output_variance
        scales = 0.5 * h.output_variance * lengthscale_gradient(self.data.x / h.lengthscales, g)
        parts = [scales, np.array(variances)]
        if h.noise_spread > 0.0 and self.data.features is not None:
            parts.append(h.noise_spread * (by_noise @ self.data.features))
        return float(value) + stated, np.concatenate(parts)

    def noise_information(self, h: Hyperparameters) -> tuple[Array, Array]:
        """How the log evidence depends on the logarithms of the variances m, eq. (2).

        Returns:
            `n` derivatives, and the `n x n` expected information (Fisher) of the logarithms.
        """
        factor = cholesky(self.covariance(h)[0])
        a = lapack.dpotrs(factor, self.data.y, lower=1)[0]
        information = symmetric_inverse(factor)
        slope = self._noise_slope(h, a * a - np.diag(information))[1]
        own = np.where(np.isnan(self.data.known_variance), self.data.inflation * self.data.inferred(h), 0.0)
        information *= information
        information *= 0.5 * np.multiply.outer(own, own)
        if self.data.degrees is not None:
            information[np.diag_indices_from(information)] += 0.5 * self.data.degrees
        return slope, information

    def _noise_slope(self, h: Hyperparameters, m: Array) -> tuple[float, Array]:
        """Eq. (5), and `n` derivatives of the log evidence by log m_i; `m` is the diagonal of M."""
        data, own = self.data, self.data.inferred(h)
        slope = np.where(np.isnan(data.known_variance), 0.5 * data.inflation * own * m, 0.0)
        if data.degrees is None or data.stated is None:
            return 0.0, slope
        ratio = np.where(data.degrees > 0, data.stated, 0.0) / own
        value = -0.5 * float(data.degrees @ (np.log(own) + ratio))
        return value, slope + 0.5 * data.degrees * (ratio - 1.0)

    def _discrepancy_slope(self, h: Hyperparameters, m: Array, k: Array) -> list[float]:
        """Derivatives of the log evidence by log s_s^2 of every source; 0 of one without a reading in this column."""
        found = [float(np.vdot(m[block], k[block])) for block in self._sources]
        found += [0.0] * (len(h.discrepancy) - len(found))
        return [0.5 * variance * slope for variance, slope in zip(h.discrepancy.tolist(), found, strict=True)]

    def _drift(self, h: Hyperparameters) -> Array:
        """Covariance of the drift between readings, `n x n`."""
        apart, through = self._times()
        return np.asarray(h.drift_variance * (np.exp(-apart / h.drift_time) - np.exp(-through / h.drift_time)))

    def _drift_slope(self, h: Hyperparameters, m: Array) -> list[float]:
        """Derivatives of the log evidence by log s_g^2 and log l."""
        near, far = (h.drift_variance * np.exp(-t / h.drift_time) for t in self._times())
        by_time = (near * self._times()[0] - far * self._times()[1]) / h.drift_time
        return [0.5 * float(np.vdot(m, near - far)), 0.5 * float(np.vdot(m, by_time))]

    def _times(self) -> tuple[Array, Array]:
        """Times between readings, directly and by way of t = 0: `n x n` each.

        Raises:
            FitFailed: If the readings have no times.
        """
        if self.data.time is None:
            raise FitFailed("drift is asked for, but the readings have no times")
        if self._apart is None:
            since = np.abs(self.data.time)
            self._apart = np.abs(self.data.time[:, None] - self.data.time), since[:, None] + since
        return self._apart


def _block(rows: NDArray[np.bool_]) -> tuple[NDArray[np.intp], ...]:
    """What picks the rows and columns of some readings out of an `n x n` matrix."""
    numbers = np.flatnonzero(rows)
    return np.ix_(numbers, numbers)


def drift_covariance(h: Hyperparameters, s: Array, t: Array) -> Array:
    """Covariance of the drift between times s and t, eq. (1), whose shapes broadcast."""
    near, far = np.abs(s - t), np.abs(s) + np.abs(t)
    return np.asarray(h.drift_variance * (np.exp(-near / h.drift_time) - np.exp(-far / h.drift_time)))


def symmetric_inverse(factor: Array) -> Array:
    """Inverse of the matrix whose lower Cholesky factor is given, `n x n`; the factor's memory is used up."""
    lower = lapack.dpotri(factor, lower=1, overwrite_c=1)[0]
    inverse = lower + lower.T
    inverse[np.diag_indices_from(inverse)] *= 0.5
    return np.asarray(inverse)
