"""What a target makes of values, without the library: quadrature for one point, brute force for many."""

from itertools import pairwise

import numpy as np
from scipy.integrate import dblquad, quad
from scipy.stats import norm

WIDE = 10.0
"""Deviations over which is integrated."""


def utility(value, target, tolerance):
    """How near a value is to a target: by the case, not by one formula."""
    if value > target + tolerance:
        return target + tolerance - value
    if value < target - tolerance:
        return value - (target - tolerance)
    return 0.0


def mean_of(worth, mean, sd, kinks):
    """Mean of any function of one normal value, by quadrature between its kinks."""
    inner = [k for k in kinks if abs(k - mean) < WIDE * sd]
    edges = [mean - WIDE * sd, *sorted(inner), mean + WIDE * sd]
    pieces = [quad(lambda v: worth(v) * norm.pdf(v, mean, sd), a, b, epsabs=1e-13) for a, b in pairwise(edges)]
    return sum(value for value, _ in pieces)


def gain_over_one(mean, covariance, target, tolerance):
    """E[max(0, u(f_1) - u(f_0))] of two Gaussian values, by quadrature over both."""
    slope = covariance[0, 1] / covariance[0, 0]
    rest = np.sqrt(covariance[1, 1] - slope * covariance[0, 1])
    first = np.sqrt(covariance[0, 0])

    def density(b, a):
        given = mean[1] + slope * (a - mean[0])
        gain = max(0.0, utility(b, target, tolerance) - utility(a, target, tolerance))
        return gain * norm.pdf(a, mean[0], first) * norm.pdf(b, given, rest)

    def nearer(a, side):
        far = tolerance - utility(a, target, tolerance)
        return target + side * far

    value, _ = dblquad(
        density,
        mean[0] - 6.0 * first,
        mean[0] + 6.0 * first,
        lambda a: nearer(a, -1.0),
        lambda a: nearer(a, 1.0),
        epsabs=1e-6,
    )
    return value


def gain_over_best(mean, covariance, reference, target, tolerance, *, draws, seed):
    """E[max(0, nearest of the rest over nearest of the first `reference`)] and its standard error, by sampling."""
    root = np.linalg.cholesky(covariance + 1e-10 * np.trace(covariance) / len(mean) * np.eye(len(mean)))
    values = mean + np.random.default_rng(seed).standard_normal((draws, len(mean))) @ root.T
    far = np.maximum(np.abs(values - target) - tolerance, 0.0)
    gains = np.maximum(far[:, :reference].min(axis=1) - far[:, reference:].min(axis=1), 0.0)
    return gains.mean(), gains.std() / np.sqrt(draws)
