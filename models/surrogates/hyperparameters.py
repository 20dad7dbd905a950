"""What is fitted, and what is believed of it before any reading.

All priors are normal in the logarithm: every parameter is positive, and a search in logarithms takes about a third of
the steps of one in natural units.
"""

import math
from dataclasses import dataclass

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


def lengthscale_prior(dimension: int) -> Prior:
    """Prior of a log lengthscale that grows with the square root of the dimension.

    The log-normal (sqrt(2) + log(dimension) / 2, sqrt(3)) of Hvarfner, Hellsten and Nardi 2024, Vanilla Bayesian
    optimization performs great in high dimensions (arXiv 2402.02229), whose mode in the lengthscale is the mean here.
    """
    return Prior(math.sqrt(2.0) - 3.0 + 0.5 * math.log(dimension), math.sqrt(3.0), math.log(0.02), math.log(1e3))


OUTPUT_VARIANCE = Prior(0.0, 1.0, math.log(1e-3), math.log(1e4))
"""Prior of log s_f^2: the readings are standardised."""
NOISE_VARIANCE = Prior(-5.0, 1.0, math.log(1e-4), math.log(1e3))
"""Prior of log sigma^2: the log-normal (-4, 1) of Hvarfner et al. 2024, at its mode."""
FILM_VARIANCE = Prior(2.0 * math.log(0.3), 1.0, math.log(1e-6), math.log(1e2))
"""Prior of log s_b^2. Strong, since one film cannot tell its own offset from f; real wafers differ by 0.4 to 0.8 sd."""


@dataclass(frozen=True)
class Hyperparameters:
    """What is fitted, in standardised units. Lengthscales are in widths of the search space."""

    lengthscales: Array
    """`D`, one per element and process column."""
    output_variance: float
    noise_variance: float
    film_variance: float
    """0 where the film effect is left out."""

    def theta(self) -> Array:
        """The logarithms, in the order lengthscales, output, noise, film (left out if 0)."""
        rest = [self.output_variance, self.noise_variance] + ([self.film_variance] if self.film_variance > 0 else [])
        return np.asarray(np.log(np.concatenate([self.lengthscales, rest])))

    def natural(self) -> Array:
        """Every value in one vector of length D + 3: exact where `theta` would round."""
        return np.concatenate([self.lengthscales, [self.output_variance, self.noise_variance, self.film_variance]])

    @classmethod
    def from_natural(cls, values: Array) -> "Hyperparameters":
        """The inverse of `natural`."""
        return cls(values[:-3], float(values[-3]), float(values[-2]), float(values[-1]))

    @classmethod
    def from_theta(cls, theta: Array, dimension: int) -> "Hyperparameters":
        """The inverse of `theta`."""
        e = np.exp(theta)
        film = float(e[dimension + 2]) if len(e) > dimension + 2 else 0.0
        return cls(e[:dimension], float(e[dimension]), float(e[dimension + 1]), film)


def priors(dimension: int, *, film_effect: bool) -> list[Prior]:
    """One prior per entry of theta."""
    scales = [lengthscale_prior(dimension)] * dimension
    return [*scales, OUTPUT_VARIANCE, NOISE_VARIANCE] + ([FILM_VARIANCE] if film_effect else [])


def log_prior(theta: Array, prior: list[Prior]) -> tuple[float, Array]:
    """Log density of theta up to a constant, and its gradient."""
    mean, sd = np.array([p.mean for p in prior]), np.array([p.sd for p in prior])
    score = (theta - mean) / sd
    return float(-0.5 * score @ score), -score / sd
