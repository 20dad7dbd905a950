"""A lab with several properties: films over three elements, objectives that pull apart, one outcome with a limit."""

import numpy as np

from models.catalog import ExpectedImprovement, HypervolumeImprovement
from models.composition import SearchSpace
from models.dataset import Dataset
from models.film import Film, FilmGeometry
from models.objective import Objective, OutcomeConstraint
from models.problem import Problem

S = np.linspace(0.0, 1.0, 5)
DIRECTIONS = ("maximise", "minimise", "maximise", "minimise")
TOPS = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7], [1 / 3, 1 / 3, 1 / 3]])
SIZES = np.array([10.0, 0.02, 300.0, 1.0])
LIMITED = OutcomeConstraint(property="roughness", unit="nm", upper=0.8)
FILMS = [
    Film(np.array(a), np.array(b), np.empty(0), S)
    for a, b in [([0.8, 0.1, 0.1], [0.2, 0.5, 0.3]), ([0.1, 0.3, 0.6], [0.3, 0.6, 0.1])]
]
NEW = Film(np.array([0.5, 0.1, 0.4]), np.array([0.1, 0.35, 0.55]), np.empty(0), S).points()


def problem(objectives=2, *, limited=False, references=(None,) * 4, policy=None):
    """A problem with 1 to 4 objectives, every other one minimised, and an outcome where `limited`."""
    sought = tuple(
        Objective(property=f"p{k}", unit="V", direction=DIRECTIONS[k], reference=references[k])
        for k in range(objectives)
    )
    kind = ExpectedImprovement if objectives == 1 else HypervolumeImprovement
    return Problem(
        space=SearchSpace(elements=("A", "B", "C")),
        objectives=sought,
        outcomes=(LIMITED,) if limited else (),
        film=FilmGeometry(devices=5, span_min=0.05, span_max=0.5),
        policy=kind(mc_samples=64, raw_films=64, restarts=2) if policy is None else policy,
    )


def truth(asked, X):
    """Every property at device points, in its own unit: a hill per objective, and a roughness that grows with C."""
    hills = np.exp(-((X[:, None, :3] - TOPS) ** 2).sum(-1) / 0.2)
    signs = np.array([o.sign() for o in asked.objectives])
    columns = [(signs * SIZES[: len(signs)] * hills[:, : len(signs)])]
    if asked.outcomes:
        columns.append(0.3 + X[:, [2]])
    return np.hstack(columns)


def measured(asked, films=FILMS, *, seed=0, noise=0.02):
    """Readings of every property at every device, with noise of a share `noise` of its size."""
    rng = np.random.default_rng(seed)
    X = np.vstack([film.points() for film in films])
    Y = truth(asked, X)
    Y += noise * np.abs(Y).mean(0) * rng.standard_normal(Y.shape)
    names = np.concatenate([[f"film-{k:03d}"] * len(film.s) for k, film in enumerate(films)])
    return Dataset(X, Y, np.full(Y.shape, np.nan), names, np.arange(len(X), dtype=np.float64))
