"""Expected improvement without the library: dense conditioning, quadrature for one point, brute force for many."""

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm


def posterior(prior, points, noise, y, X):
    """Mean and covariance of a zero-mean Gaussian process at X, by solving the dense system.

    `noise` is the full covariance of what a reading adds to f.
    """
    K = prior(points, points) + noise
    across = prior(X, points)
    mean = across @ np.linalg.solve(K, y)
    return mean, prior(X, X) - across @ np.linalg.solve(K, across.T)


def gain_over_one(mean, covariance):
    """E[max(0, f_1 - f_0)] of two Gaussian values, by quadrature over their difference."""
    change = mean[1] - mean[0]
    sd = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2.0 * covariance[0, 1])
    value, _ = quad(lambda t: t * norm.pdf(t, change, sd), 0.0, max(change, 0.0) + 12.0 * sd, epsabs=1e-12)
    return value


def gain_over_value(mean, variance, value):
    """E[max(0, f - value)] of one Gaussian value, by quadrature."""
    return gain_over_one(np.array([value, mean]), np.diag([0.0, max(variance, 1e-300)]))


def gain_over_best(mean, covariance, reference, *, draws, seed):
    """E[max(0, best of the rest - best of the first `reference`)] and its standard error, by plain sampling."""
    root = np.linalg.cholesky(covariance + 1e-10 * np.trace(covariance) / len(mean) * np.eye(len(mean)))
    values = mean + np.random.default_rng(seed).standard_normal((draws, len(mean))) @ root.T
    gains = np.maximum(values[:, reference:].max(axis=1) - values[:, :reference].max(axis=1), 0.0)
    return gains.mean(), gains.std() / np.sqrt(draws)
