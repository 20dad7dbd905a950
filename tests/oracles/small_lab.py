"""A lab with a known property: films over three elements and one temperature, with offsets and noise by seed."""

import numpy as np

from models.composition import ContinuousVariable, SearchSpace
from models.dataset import Dataset
from models.objective import Objective
from models.problem import Problem


def problem(*, direction="maximise", process=True, film_effect=True, elements=("Fe", "Ga", "Pd")):
    temperature = (ContinuousVariable(name="anneal", unit="K", lower=300.0, upper=900.0),) if process else ()
    return Problem(
        space=SearchSpace(elements=elements, process=temperature),
        objectives=(Objective(property="signal", unit="V", direction=direction),),
        surrogate={"name": "film_gp", "film_effect": film_effect},
    )


def truth(X):
    """Property in V at `n x 4` device points."""
    return 3.0 + 2.0 * np.sin(4.0 * X[:, 0]) - 3.0 * (X[:, 1] - 0.3) ** 2 + X[:, 3]


def dataset(films=4, devices=7, *, seed=0, offset=0.3, noise=0.05, known=None):
    """Readings on straight films; variances are given for the share `known` of them."""
    rng = np.random.default_rng([seed, films, devices])
    s = np.linspace(0.0, 1.0, devices)[:, None]
    X, Y, names = [], [], []
    for k in range(films):
        a, b = rng.dirichlet(np.ones(3), 2)
        x = np.hstack([(1.0 - s) * a + s * b, np.full((devices, 1), rng.random())])
        X.append(x)
        Y.append(truth(x) + offset * rng.standard_normal() + noise * rng.standard_normal(devices))
        names += [f"film-{k}"] * devices
    n = films * devices
    variance = np.where(rng.random(n) < (known or 0.0), noise**2, np.nan)
    uids = np.array([f"r{i:04d}" for i in rng.permutation(n)])
    times = np.arange(n, dtype=np.float64)
    return Dataset(np.vstack(X), np.concatenate(Y)[:, None], variance[:, None], np.array(names), times, uids)


def probe(count=12, seed=1):
    """Device points over the whole search space, `count x 4`."""
    rng = np.random.default_rng(seed)
    return np.hstack([rng.dirichlet(np.ones(3), count), rng.random((count, 1))])
