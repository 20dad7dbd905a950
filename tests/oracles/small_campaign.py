"""Two read films of three elements, beliefs that a test may change, and the same process by dense algebra."""

import numpy as np

from models.catalog import ExpectedImprovement
from models.composition import SearchSpace
from models.film import Film, FilmGeometry
from models.policies.base import Question
from models.propose import silent
from tests.oracles import film_lab
from tests.oracles.dense_process import DenseProcess

PROBLEM = film_lab.problem_of(SearchSpace(elements=("A", "B", "C")), FilmGeometry(devices=5), ExpectedImprovement())
S = np.linspace(0.0, 1.0, 5)
BELIEFS = {"lengthscale": 0.4, "noise": 1e-3, "film": 4e-3, "output": 1.0}


def straight(a, b, s=S):
    return Film(np.array(a), np.array(b), np.empty(0), s)


READ = [straight([0.8, 0.1, 0.1], [0.2, 0.5, 0.3]), straight([0.1, 0.3, 0.6], [0.3, 0.6, 0.1])]
NEW = straight([0.5, 0.1, 0.4], [0.1, 0.35, 0.55])
FLIGHT = straight([0.6, 0.2, 0.2], [0.1, 0.1, 0.8])
AWKWARD = {
    "uniform": straight([0.4, 0.3, 0.3], [0.4, 0.3, 0.3]),
    "nearly uniform": straight([0.4, 0.3, 0.3], [0.4 + 1e-9, 0.3 - 1e-9, 0.3]),
    "repeated": READ[0],
    "one device": straight([0.5, 0.1, 0.4], [0.5, 0.1, 0.4], np.array([0.5])),
    "a corner": straight([1.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
}
"""Films at which an acquisition may lose its digits."""


def fitted(data=None, **changed):
    """The model with its beliefs, and the dense process with the same."""
    beliefs = BELIEFS | changed
    model = film_lab.surrogate(PROBLEM, film_lab.measured(PROBLEM, READ) if data is None else data, **beliefs)
    return model, DenseProcess.of(model, **beliefs)


def question(model, *, pending=(), problem=PROBLEM, data=None, seed=3):
    dataset = film_lab.measured(problem, READ) if data is None else data
    return Question(problem, dataset.canonical(), tuple(pending), seed, model, silent)


def compositions(count, seed=5):
    """Points all over the region, `count x 3`."""
    return np.random.default_rng(seed).dirichlet(np.ones(3), count)
