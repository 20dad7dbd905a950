"""Whole campaigns on a synthetic property: what good prior data save, and what bad ones cost."""

from dataclasses import replace

import numpy as np
import pytest

from models.composition import SearchSpace
from models.dataset import Dataset, joined
from models.film import Film, FilmChoice, FilmGeometry
from models.objective import Objective
from models.problem import Problem
from models.propose import propose
from models.train import train

DEVICES, FILMS, SEEDS = 5, 5, 2
PEAK = np.array([0.15, 0.25, 0.6])
"""Where the property is best."""


def truth(x):
    return 2.0 * np.exp(-((x - PEAK) ** 2).sum(-1) / 0.25) - 0.8 * x[..., 0]


def segments(count=60):
    rng = np.random.default_rng(0)
    a = rng.dirichlet(np.ones(3), count)
    b = a + 0.3 * (rng.dirichlet(np.ones(3), count) - a)
    return a / a.sum(1, keepdims=True), b / b.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def problem():
    def named(x):
        return dict(zip("ABC", x.tolist(), strict=True))

    choices = tuple(FilmChoice(a=named(a), b=named(b)) for a, b in zip(*segments(), strict=True))
    return Problem(
        space=SearchSpace(elements=("A", "B", "C")),
        objectives=(Objective(property="signal", unit="V"),),
        film=FilmGeometry(devices=DEVICES, choices=choices),
    )


def prior(kind, seed):
    """Forty readings of another lab, a whole spread and more too high, and noisier."""
    rng = np.random.default_rng([seed, 1])
    x = rng.dirichlet(np.ones(3), 40)
    y = truth(x) * (-1.0 if kind == "inverted" else 1.0) + 3.0 + 0.1 * rng.standard_normal(40)
    source = np.full(40, kind)
    names = np.array([f"{kind}/{k:02d}" for k in range(40)])
    plain = Dataset(x, y[:, None], np.full((40, 1), np.nan), np.full(40, f"{kind}/"), np.zeros(40), names)
    return replace(plain, sources=source)


def regrets(problem, kind, seed):
    """How far the best device of any film made is from the best of all that could be made, film by film."""
    rng, elsewhere = np.random.default_rng([seed, 2]), None if kind == "none" else prior(kind, seed)
    a, b = segments()
    best = max(truth(Film(*ends, np.empty(0), problem.film.mixing()).points()).max() for ends in zip(a, b, strict=True))
    own, found, path, bundle = Dataset.empty(3), -np.inf, [], None
    for number in range(FILMS):
        data = own if elsewhere is None else joined([own, elsewhere])
        bundle = train(problem, data, seed=seed, previous=bundle) if number or elsewhere is not None else None
        (chosen,) = propose(problem, bundle, data, pending=(), count=1, seed=seed)
        x = chosen.film.points()
        y = truth(x) + 0.1 * rng.standard_normal() + 0.03 * rng.standard_normal(DEVICES)
        named = np.array([f"f{number}-{k}" for k in range(DEVICES)])
        made = Dataset(
            x,
            y[:, None],
            np.full((DEVICES, 1), np.nan),
            np.full(DEVICES, f"f{number}"),
            np.full(DEVICES, number * 1.0),
            named,
        )
        own = joined([own, made])
        found = max(found, truth(x).max())
        path.append(best - found)
    return path


@pytest.fixture(scope="module")
def campaigns(problem):
    """Mean regret by number of films, for each kind of prior data."""
    return {
        kind: np.mean([regrets(problem, kind, seed) for seed in range(SEEDS)], axis=0)
        for kind in ("none", "useful", "inverted")
    }


def test_the_first_films_are_better_with_what_others_know(campaigns):
    assert campaigns["useful"][0] < 0.2 * campaigns["none"][0]
    assert campaigns["useful"][1] < 0.5 * campaigns["none"][1]


def test_what_misleads_costs_little_after_a_few_films(campaigns):
    spread = np.std(truth(np.random.default_rng(0).dirichlet(np.ones(3), 2000)))
    assert campaigns["inverted"][0] > campaigns["none"][0]  # it did mislead
    assert campaigns["inverted"][3] < campaigns["none"][3] + 0.2 * spread
    assert campaigns["inverted"][4] < campaigns["none"][4] + 0.2 * spread
