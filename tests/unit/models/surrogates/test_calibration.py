"""Does the model know how much it knows? Intervals of f, judged on functions drawn from the model's own prior."""

from dataclasses import replace

import numpy as np
import pytest

from models.dataset import Dataset
from models.surrogates.film_gp import FilmGP
from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.hyperparameters import Hyperparameters, Layout, prior_covariance
from models.surrogates.scaling import space_ranges
from models.train import train
from tests.oracles import small_lab

CENTRE, SCALE = 1e6, 1e-3
"""Units far from those of the model."""


def drawn(problem, films, seed):
    """Readings of films over one draw of the prior, points, the truth there, and the true hyperparameters."""
    rng = np.random.default_rng([seed, films])
    believed = Layout(4, elements=3).priors()
    theta = rng.multivariate_normal([p.mean for p in believed], prior_covariance(believed))
    h = Hyperparameters.from_theta(np.clip(theta, [p.lower for p in believed], [p.upper for p in believed]), 4)
    data, probe = small_lab.dataset(films, seed=seed, known=0.5), small_lab.probe(30, seed=seed)
    z = np.vstack([data.X, probe]) / space_ranges(problem.space)[1] / h.lengthscales
    u = np.sqrt(5.0 * ((z[:, None] - z) ** 2).sum(-1))
    covariance = 1.0 + h.output_variance * (1.0 + u + u**2 / 3.0) * np.exp(-u) + 1e-8 * np.eye(len(z))
    f = np.linalg.cholesky(covariance) @ rng.standard_normal(len(z))
    offset = np.sqrt(h.film_variance) * rng.standard_normal(films)[np.unique(data.films, return_inverse=True)[1]]
    y = f[: len(data)] + offset + np.sqrt(h.noise_variance) * rng.standard_normal(len(data))
    physical = problem.objectives[0].sign() * (CENTRE + SCALE * np.append(y, f[len(data) :]))
    variance = np.where(np.isnan(data.Yvar), np.nan, SCALE**2 * h.noise_variance)
    read = Dataset(data.X, physical[: len(data), None], variance, data.films, data.times, data.names)
    return read, probe, physical[len(data) :], h


def coverage(problem, films, model, repeats):
    """Share of the truth within the 95 % interval of f."""
    inside = []
    for seed in range(repeats):
        data, probe, truth, h = drawn(problem, films, seed)
        mean, sd = (part[:, 0] for part in model(problem, data, h).predict(probe))
        inside.append(np.abs(problem.objectives[0].to_maximised(truth) - mean) < 1.96 * sd)
    return np.mean(inside)


def told(problem, data, h):
    """The model with the true hyperparameters and units."""
    state = FilmGPState.unfitted(problem, data.canonical())
    return FilmGP(replace(state, hyperparameters=(h,), centre=np.array([CENTRE]), scale=np.array([SCALE])))


def fitted(problem, data, _h):
    return train(problem, data, seed=0).surrogate


@pytest.mark.parametrize(("films", "direction"), [(2, "maximise"), (5, "minimise")])
def test_intervals_are_exact_where_the_hyperparameters_are_known(films, direction):
    assert 0.93 < coverage(small_lab.problem(direction=direction), films, told, 200) < 0.97


def test_intervals_of_a_fit_hold_the_truth_and_averaging_is_why():
    problem = small_lab.problem()
    alone = problem.model_copy(update={"surrogate": problem.surrogate.model_copy(update={"averaging": 1})})
    averaged = coverage(problem, 5, fitted, 40)
    assert 0.89 < averaged < 0.98
    assert averaged > coverage(alone, 5, fitted, 40) + 0.01
