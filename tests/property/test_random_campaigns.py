"""At least 2,000 films of random campaigns: an independent check finds no rule broken by more than 1e-9.

More of them: `FILMLOOP_TEST_CAMPAIGNS=2000 pytest tests/property/test_random_campaigns.py` (120 if not given).
"""

import os

import numpy as np
import pytest
from pydantic import ValidationError

from models.catalog import (
    CostModel,
    ExpectedImprovement,
    HypervolumeImprovement,
    KnowledgeGradient,
    Mapping,
    MeanExpectedImprovement,
    RandomFilms,
    SpaceFilling,
    ThompsonSampling,
    UpperConfidenceBound,
)
from models.composition import ElementBounds, SearchSpace
from models.dataset import Dataset
from models.film import FilmGeometry
from models.propose import propose
from models.structures import film_structures
from tests.oracles import film_lab
from tests.oracles.film_rules import broken_rules
from tests.oracles.random_campaigns import random_problem

CAMPAIGNS = int(os.environ.get("FILMLOOP_TEST_CAMPAIGNS", "120"))
SEARCHED = 4
"""One campaign in this many is searched with a model, by each policy in turn."""
FILMS = 12
QUICK = {"raw_films": 16, "restarts": 1}
POLICIES = (
    ExpectedImprovement(mc_samples=16, **QUICK),
    ExpectedImprovement(mc_samples=16, cost=CostModel(target=2.0), **QUICK),
    HypervolumeImprovement(mc_samples=16, **QUICK),
    KnowledgeGradient(mc_samples=16, pool=64, **QUICK),
    UpperConfidenceBound(mc_samples=16, **QUICK),
    ThompsonSampling(pool=32, **QUICK),
    Mapping(pool=64, **QUICK),
    MeanExpectedImprovement(rule="two_step", **QUICK),
)


def empty(problem):
    return Dataset.empty(problem.space.dimension + len(problem.space.process_columns))


def proposed(problem, seed, count):
    return [a.film for a in propose(problem, None, empty(problem), pending=[], count=count, seed=seed)]


def searched(problem, seed, policy):
    """Two films of the real search at once, after three random ones were read and while a fourth is in flight."""
    made = proposed(problem.model_copy(update={"policy": RandomFilms()}), seed, 4)
    sought = film_lab.problem_of(problem.space, problem.film, policy, initial_films=1)
    data = film_lab.measured(sought, made[:3], seed=seed)
    if len(np.unique(data.X, axis=0)) < 2:
        return []
    answers = propose(sought, film_lab.bundle(sought, data), data, pending=made[3:], count=2, seed=seed)
    assert [a.source for a in answers] == ["model", "model"]
    return [a.film for a in answers]


@pytest.mark.timeout(900)  # half a minute of work, on a machine that may be busy
def test_every_film_of_every_campaign_obeys_every_rule():
    rng = np.random.default_rng(20)
    checked, seen, wrong = 0, set(), []
    for number in range(CAMPAIGNS):
        policy = RandomFilms() if number % 2 else SpaceFilling(raw_films=8)
        problem = random_problem(rng, policy)
        if problem is None:
            continue
        # Where there are too many structures for all, every film draws and builds its own.
        many = FILMS if film_structures(problem.space, problem.film).complete else 2
        films = proposed(problem, number, many if number % 2 else 2)
        films += proposed(problem.model_copy(update={"policy": RandomFilms()}), number + 1, many)
        if number % SEARCHED == 0:
            films += searched(problem, number, POLICIES[number // SEARCHED % len(POLICIES)])
        wrong += [(number, broken) for film in films if (broken := broken_rules(problem, film))]
        checked += len(films)
        seen |= {problem.film.grading, f"grid {problem.film.grid is not None}", f"d {problem.space.dimension}"}
    assert wrong == []
    assert checked >= 2000 * CAMPAIGNS / 120
    assert seen >= {"free", "pair", "grid True", "grid False", *(f"d {d}" for d in range(2, 9))}


LATTICE = np.linspace(0.0, 1.0, 101)


@pytest.mark.parametrize("seed", range(40))
def test_only_campaigns_without_any_film_are_refused(seed):
    """Of two elements every film on a lattice is tried: the widest one says whether a campaign must be refused."""
    rng = np.random.default_rng(seed)
    low, high = np.sort(np.round(rng.random(2), 2))
    span = round(float(rng.random()), 2)
    space = SearchSpace(elements=("A", "B"), bounds=(ElementBounds(element="A", lower=low, upper=high),))
    ends = [(a, b) for a in LATTICE for b in LATTICE if low - 1e-9 <= min(a, b) and max(a, b) <= high + 1e-9]
    refused = bool(max(abs(a - b) for a, b in ends) < span - 1e-9)
    try:
        film_lab.problem_of(space, FilmGeometry(devices=2, span_min=span), RandomFilms())
        said = ""
    except ValidationError as error:
        said = str(error)
    named = (f"; A >= {low:g}", f"; A <= {high:g}")
    assert (f"no free film with span {span:g} to 1; A " in said and any(name in said for name in named)) is refused
    assert bool(said) is refused
