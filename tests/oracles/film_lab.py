"""A lab for films: any search space, a smooth property with its best value at a known composition, seeded errors."""

from dataclasses import replace

import numpy as np

from models.dataset import Dataset
from models.objective import Objective
from models.problem import Problem
from models.surrogates.base import ModelBundle, columns_of
from models.surrogates.film_gp import FilmGP
from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.hyperparameters import Hyperparameters
from models.tensors import to_array, to_tensor
from tests.oracles.ei_quadrature import posterior

SIGNAL = (Objective(property="signal", unit="V"),)
ECHO = Objective(property="echo", unit="V")


def truth(problem, X):
    """A hill of height 10 V at an uneven mixture of the elements."""
    d = problem.space.dimension
    top = np.arange(1.0, d + 1.0) / np.arange(1.0, d + 1.0).sum()
    return 10.0 * np.exp(-((X[:, :d] - top) ** 2).sum(axis=1) / 0.1) + X[:, d:].sum(axis=1)


def echo(problem, X):
    """A second property: the same hill with its elements the other way round."""
    d = problem.space.dimension
    return truth(problem, np.hstack([X[:, :d][:, ::-1], X[:, d:]]))


def measured(problem, films, *, seed=0, noise=0.15, offset=0.15):
    """Readings of films with noise and an offset per film."""
    rng = np.random.default_rng(seed)
    X = np.vstack([film.points() for film in films])
    names = np.concatenate([[f"film-{k:03d}"] * len(film.s) for k, film in enumerate(films)])
    offsets = np.concatenate([np.full(len(film.s), offset * rng.standard_normal()) for film in films])
    y = truth(problem, X) + offsets + noise * rng.standard_normal(len(X))
    uids = np.array([f"r{k:05d}" for k in range(len(X))])
    Y = np.column_stack([y, *[echo(problem, X) for _ in problem.properties[1:]]])
    return Dataset(X, Y, np.full(Y.shape, np.nan), names, np.arange(len(X), dtype=np.float64), uids)


def surrogate(problem, dataset, *, lengthscale=0.4, noise=1e-3, film=4e-3, output=1.0):
    """A film GP with given hyperparameters: no fit, so that a test says what the model believes."""
    blank = FilmGPState.unfitted(problem, dataset.canonical())
    believed = Hyperparameters(np.full(len(blank.lower), lengthscale), output, noise, film)
    return FilmGP(replace(blank, hyperparameters=(believed,) * blank.Y.shape[1]))


def bundle(problem, dataset):
    """The surrogate as `propose` takes it."""
    model = surrogate(problem, dataset)
    return ModelBundle(model, columns_of(problem), 0, {}, dataset.fingerprint(), {})


def problem_of(space, geometry, policy, **more):
    """A problem with one signal to maximise, and its echo too where the policy serves no less than two."""
    sought = SIGNAL if policy.objectives[0] == 1 else (*SIGNAL, ECHO)
    return Problem(space=space, objectives=sought, film=geometry, policy=policy, **more)


def dense(model, X):
    """Posterior at X by the oracle: covariance of the readings rebuilt from what the model says of each."""
    (latent,), state = model.latents(), model.state
    h = state.hyperparameters[0]

    def prior(one, other):
        return to_array(latent.prior(to_tensor(one), to_tensor(other)))

    same = (state.film[:, None] == state.film).astype(float)
    noise = h.film_variance * same + h.noise_variance * np.eye(len(same))
    return posterior(prior, state.X, noise, (state.Y[:, 0] - state.centre) / state.scale, X)
