"""What is fitted, and what is believed of it before any reading.

Priors are normal in the logarithm: the parameters are positive, and a search in logarithms takes about a third of the
steps of one in natural units. Only the weights of the log noise are taken as they are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Prior:
    """Normal prior on a logarithm, and the range in which it is sought."""

    mean: float
    sd: float
    lower: float
    upper: float
    shared: float = 0.0
    """Correlation with every other parameter that shares: what one lengthscale tells about the others."""


def lengthscale_prior(dimension: int) -> Prior:
    """Prior of a log lengthscale that grows with the square root of the dimension.

    The log-normal (sqrt(2) + log(dimension) / 2, sqrt(3)) of Hvarfner, Hellsten and Nardi 2024, Vanilla Bayesian
    optimization performs great in high dimensions (arXiv 2402.02229), whose mode in the lengthscale is the mean here.
    """
    return Prior(math.sqrt(2.0) - 3.0 + 0.5 * math.log(dimension), math.sqrt(3.0), math.log(0.02), math.log(1e3))


ALIKE = 0.95
"""Correlation of the log lengthscales of two elements. Fractions are all of one kind, and a few films along lines
cannot tell six lengthscales apart: those that no film informs follow the others instead of the prior's mean.
"""
OUTPUT_VARIANCE = Prior(0.0, 1.0, math.log(1e-3), math.log(1e4))
"""Prior of log s_f^2: the readings are standardised."""
NOISE_VARIANCE = Prior(-5.0, 1.0, math.log(1e-4), math.log(1e3))
"""Prior of log sigma^2: the log-normal (-4, 1) of Hvarfner et al. 2024, at its mode."""
FILM_VARIANCE = Prior(2.0 * math.log(0.3), 1.5, math.log(1e-6), math.log(1e2))
"""Prior of log s_b^2: between 0.07 and 1.3 sd. Real wafers differ by 0.4 to 0.8 sd; a good lab's hardly do, and a
prior that does not let its films say so keeps every interval too wide."""
DRIFT_VARIANCE = Prior(2.0 * math.log(0.2), 1.5, math.log(1e-6), math.log(1e2))
"""Prior of log s_g^2."""
DRIFT_TIME = Prior(math.log(0.5), 1.0, math.log(0.01), math.log(1e2))
"""Prior of the log time over which an instrument drifts, in spans of the campaign."""
DISCREPANCY = Prior(0.0, 1.5, math.log(1e-4), math.log(1e4))
"""Prior of log s_d^2, by which prior data differ from f beside their offset: a correlation with f of 0.7, between 0.4
and 0.9 as a rule. On three pairs of real plates it was 0.25, 0.4 and 0.6."""
SCATTER = Prior(2.0 * math.log(0.1), 1.5, math.log(1e-6), math.log(1e4))
"""Prior of log e_s^2, by which readings of prior data scatter beyond those of the campaign: another lab, another
instrument. Without it a source that is all noise would make the campaign's own readings look noisy."""
NOISE_WEIGHT = Prior(0.0, 1.0, -6.0, 6.0)
"""Prior of one weight of the log noise."""


@dataclass(frozen=True)
class Hyperparameters:
    """What is fitted, in standardised units. Lengthscales are in widths of the search space."""

    lengthscales: Array
    """`D`, one per element, process column and total of a group."""
    output_variance: float
    noise_variance: float
    film_variance: float
    """0 where the film effect is left out."""
    drift_variance: float = 0.0
    """0 where drift is left out."""
    drift_time: float = 1.0
    """In spans of the campaign."""
    noise_spread: float = 0.0
    """tau, the prior sd of the log noise variance about its constant; 0 where the noise is the same everywhere."""
    noise_weights: Array = field(default_factory=lambda: np.empty(0))
    """`B` weights of the log noise, whitened; empty where the noise is the same everywhere."""
    discrepancy: Array = field(default_factory=lambda: np.empty(0))
    """`S` variances s_d^2, one per source of prior data; empty where there is none."""
    scatter: Array = field(default_factory=lambda: np.empty(0))
    """`S` variances e_s^2 that come on top of the noise of each source's readings."""

    def theta(self) -> Array:
        """Logarithms in the order lengthscales, output, noise, film, drift, drift time, sources; then the weights.

        What is left out of the model is left out of the vector.
        """
        positive = [self.output_variance, self.noise_variance]
        positive += [self.film_variance] if self.film_variance > 0.0 else []
        positive += [self.drift_variance, self.drift_time] if self.drift_variance > 0.0 else []
        logarithms = np.log(np.concatenate([self.lengthscales, positive, self.discrepancy, self.scatter]))
        return np.concatenate([logarithms, self.noise_weights]) if self.noise_spread > 0.0 else logarithms

    def natural(self) -> Array:
        """Every value in one vector of length D + 6 + 2 S + B: exact where `theta` would round."""
        single = [self.output_variance, self.noise_variance, self.film_variance]
        single += [self.drift_variance, self.drift_time, self.noise_spread]
        return np.concatenate([self.lengthscales, single, self.discrepancy, self.scatter, self.noise_weights])

    @classmethod
    def from_natural(cls, values: Array, dimension: int, sources: int = 0) -> "Hyperparameters":
        """The inverse of `natural`; also of the first D + 3 of its values, as older models stored them."""
        output, noise, film, *later = (float(v) for v in values[dimension : dimension + 6])
        drift, drift_time, spread = later or (0.0, 1.0, 0.0)
        discrepancy, scatter, weights = np.split(values[dimension + 6 :], [sources, 2 * sources])
        return cls(values[:dimension], output, noise, film, drift, drift_time, spread, weights, discrepancy, scatter)

    @classmethod
    def from_theta(cls, theta: Array, dimension: int) -> "Hyperparameters":
        """The inverse of `theta` where there is neither drift nor varying noise."""
        return Layout(dimension, film_effect=len(theta) > dimension + 2).hyperparameters(theta)

    def layout(self, elements: int = 0, totals: int = 0) -> "Layout":
        """Which parameters this set has, if its first `elements` columns are fractions and its last `totals` sums."""
        weights = len(self.noise_weights) if self.noise_spread > 0.0 else 0
        return Layout(
            len(self.lengthscales),
            film_effect=self.film_variance > 0.0,
            drift=self.drift_variance > 0.0,
            weights=weights,
            noise_spread=self.noise_spread,
            elements=elements,
            totals=totals,
            sources=len(self.discrepancy),
        )

    def padded(self, weights: int) -> "Hyperparameters":
        """The same with at least `weights` weights, further ones 0: sets of several objectives in one array."""
        missing = max(0, weights - len(self.noise_weights))
        return replace(self, noise_weights=np.concatenate([self.noise_weights, np.zeros(missing)]))

    def carried(self, old: Sequence[int], new: Sequence[int]) -> "Hyperparameters":
        """The same for other sources of prior data, known by their keys; a new one begins at the prior's mean."""
        known = dict(zip(old, zip(self.discrepancy.tolist(), self.scatter.tolist(), strict=True), strict=True))
        fresh = math.exp(DISCREPANCY.mean), math.exp(SCATTER.mean)
        pairs = np.array([known.get(key, fresh) for key in new]).reshape(-1, 2)
        return replace(self, discrepancy=pairs[:, 0], scatter=pairs[:, 1])


@dataclass(frozen=True)
class Layout:
    """Which parameters a model has, and so what the entries of theta mean."""

    dimension: int
    """Number of lengthscales, D."""
    film_effect: bool = True
    drift: bool = False
    weights: int = 0
    """Number of weights of the log noise, B."""
    noise_spread: float = 0.0
    """tau; not fitted along."""
    elements: int = 0
    """Number of leading columns that are fractions: their lengthscales are alike."""
    totals: int = 0
    """Number of last columns that are totals of fractions: their lengthscales are like those of the fractions."""
    sources: int = 0
    """Number of sources of prior data, S."""

    def hyperparameters(self, theta: Array) -> Hyperparameters:
        """The set whose `theta` this is."""
        split = len(theta) - self.weights
        values = iter(np.exp(theta[self.dimension : split]).tolist())
        return Hyperparameters(
            np.exp(theta[: self.dimension]),
            output_variance=next(values),
            noise_variance=next(values),
            film_variance=next(values) if self.film_effect else 0.0,
            drift_variance=next(values) if self.drift else 0.0,
            drift_time=next(values) if self.drift else 1.0,
            noise_spread=self.noise_spread if self.weights else 0.0,
            noise_weights=theta[split:],
            discrepancy=np.array([next(values) for _ in range(self.sources)]),
            scatter=np.array([next(values) for _ in range(self.sources)]),
        )

    def priors(self) -> list[Prior]:
        """One prior per entry of theta."""
        own = lengthscale_prior(self.dimension)
        alike, others = replace(own, shared=ALIKE), self.dimension - self.elements - self.totals
        scales = [alike] * self.elements + [own] * others + [alike] * self.totals
        variances = [OUTPUT_VARIANCE, NOISE_VARIANCE] + [FILM_VARIANCE] * self.film_effect
        variances += [DRIFT_VARIANCE, DRIFT_TIME] * self.drift
        of_sources = [DISCREPANCY] * self.sources + [SCATTER] * self.sources
        return scales + variances + of_sources + [NOISE_WEIGHT] * self.weights

    def start(self, previous: Hyperparameters) -> Array | None:
        """Theta of an earlier fit as a start of this one: what it lacks at the prior's mean; None if too unlike."""
        before = previous.layout()
        if (before.dimension, before.film_effect) != (self.dimension, self.film_effect):
            return None
        theta, shared = previous.theta(), self.dimension + 2 + self.film_effect
        drift = theta[shared : shared + 2] if before.drift else [DRIFT_VARIANCE.mean, DRIFT_TIME.mean]
        same = before.weights == self.weights and before.weights
        weights = previous.noise_weights * (before.noise_spread / self.noise_spread) if same else np.zeros(self.weights)
        of_sources = np.repeat([DISCREPANCY.mean, SCATTER.mean], self.sources)
        if len(previous.discrepancy) == self.sources:
            of_sources = np.log(np.concatenate([previous.discrepancy, previous.scatter]))
        return np.concatenate([theta[:shared], drift if self.drift else [], of_sources, weights])


def prior_covariance(prior: list[Prior]) -> Array:
    """Covariance of theta before any reading, `p x p`."""
    sd, shared = np.array([p.sd for p in prior]), np.sqrt([p.shared for p in prior])
    correlation = np.multiply.outer(shared, shared)
    correlation[np.diag_indices_from(correlation)] = 1.0
    return np.asarray(correlation * np.multiply.outer(sd, sd))


def priors(dimension: int, *, film_effect: bool) -> list[Prior]:
    """One prior per entry of theta where there is neither drift nor varying noise."""
    return Layout(dimension, film_effect=film_effect).priors()


def log_prior(theta: Array, prior: list[Prior]) -> tuple[float, Array]:
    """Log density of theta up to a constant, and its gradient."""
    away = theta - np.array([p.mean for p in prior])
    score = np.linalg.solve(prior_covariance(prior), away)
    return float(-0.5 * score @ away), -score
