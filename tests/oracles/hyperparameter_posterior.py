"""Moments of p(theta | readings) by brute force: draws from the prior, weighted by a likelihood in dense algebra."""

import numpy as np


def brute_force_moments(x, y, film, mean, covariance, *, draws, seed):
    """Mean and standard deviation of each log hyperparameter: D lengthscales, output, noise, film variance.

    `x` in lengthscale units of 1, `mean` and `covariance` those of the prior of theta.
    """
    rng = np.random.default_rng(seed)
    theta = rng.multivariate_normal(mean, covariance, draws)
    weight = np.array([log_likelihood(x, y, film, np.exp(row)) for row in theta])
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    average = weight @ theta
    return average, np.sqrt(weight @ (theta - average) ** 2), 1.0 / np.sum(weight**2)


def log_likelihood(x, y, film, natural):
    """Log density of the readings with a constant of variance 1 and a nugget of 1e-6."""
    *scales, output, noise, offset = natural
    s = np.sqrt(5.0 * (((x[:, None] - x) / scales) ** 2).sum(-1))
    K = 1.0 + output * (1.0 + s + s**2 / 3.0) * np.exp(-s)
    K += offset * (film[:, None] == film) + (noise + 1e-6) * np.eye(len(y))
    return -0.5 * y @ np.linalg.solve(K, y) - 0.5 * np.linalg.slogdet(K)[1]
