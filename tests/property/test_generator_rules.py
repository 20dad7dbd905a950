"""Draws of every generator under the rules of random campaigns: an independent check finds none broken by 1e-9."""

import numpy as np
import pytest

from models.catalog import (
    ConditionalVAE,
    ExpectedImprovement,
    InverseDesign,
    NeighbourJitter,
    RandomFilms,
    UniformSimplex,
)
from models.composition import ElementBounds, GroupRule, LinearRule, SearchSpace
from models.dataset import Dataset
from models.generation import train_generator
from models.generators.base import Examples, Wish
from models.generators.legal import legal
from models.propose import propose
from tests.oracles import film_lab
from tests.oracles.film_rules import broken_composition_rules, broken_rules
from tests.oracles.random_campaigns import random_problem

CAMPAIGNS = 40
TWELVE = SearchSpace(
    elements=("Fe", "Co", "Ni", "Cr", "Mn", "Al", "Ti", "V", "Mo", "W", "Cu", "Zr"),
    bounds=(
        ElementBounds(element="Fe", lower=0.05, upper=0.5),
        ElementBounds(element="W", absent_or_at_least=0.03, upper=0.2),
        ElementBounds(element="Mo", absent_or_at_least=0.05),
    ),
    groups=(
        GroupRule(name="magnetic", elements=("Fe", "Co", "Ni"), lower=0.4),
        GroupRule(name="refractory", elements=("Mo", "W", "Zr", "Ti"), upper=0.25, max_present=2),
        GroupRule(name="late", elements=("Cu", "Al", "Mn", "V", "Cr"), max_present=3),
    ),
    linear=(LinearRule(name="electrons", coefficients={"Fe": 8, "Co": 9, "Ni": 10, "Cr": 6}, lower=4.0),),
)


def table(d, seed):
    """Compositions that know nothing of any rule."""
    rng = np.random.default_rng(seed)
    X = np.where(rng.random((40, d)) < 0.5, rng.gamma(1.0, size=(40, d)), 0.0) + np.eye(d)[rng.integers(d, size=40)]
    elements = tuple("ABCDEFGHIJKL"[:d])
    y = rng.standard_normal((40, 1))
    return Examples(elements, ("signal",), (), X / X.sum(1, keepdims=True), y, np.empty((40, 0)), np.array(["f"] * 40))


@pytest.fixture(scope="module")
def generators():
    """One of each kind for each number of elements; rules enter when they draw."""
    small = ConditionalVAE(steps=60, width=8, latent=2, pool=4)
    choices = (small, NeighbourJitter(scale=0.5), UniformSimplex())
    return {(c.name, d): train_generator(c, table(d, d), seed=d).generator for c in choices for d in (*range(2, 9), 12)}


def wrong(generator, space, seed, count):
    none = np.empty(0)
    free = generator.draw(Wish(np.array([np.nan]), none, space), count, seed=seed)
    wanted = generator.draw(Wish(np.array([2.0]), none, space), count, seed=seed)
    return [broken for x in (*free.X, *wanted.X) if (broken := broken_composition_rules(space, x))]


@pytest.mark.parametrize("kind", ["conditional_vae", "neighbour_jitter", "uniform_simplex"])
def test_draws_obey_the_rules_of_random_campaigns(kind, generators):
    rng, broken, ruled = np.random.default_rng(7), [], 0
    for number in range(CAMPAIGNS):
        problem = random_problem(rng, RandomFilms())
        if problem is not None:
            broken += wrong(generators[kind, problem.space.dimension], problem.space, number, 5)
            ruled += 1
    assert broken == []
    assert ruled > CAMPAIGNS // 3


@pytest.mark.parametrize("kind", ["conditional_vae", "neighbour_jitter", "uniform_simplex"])
def test_draws_obey_rules_on_twelve_elements(kind, generators):
    assert wrong(generators[kind, 12], TWELVE, 3, 30) == []


def test_rules_move_each_draw_as_little_as_any_legal_point_of_its_elements_allows():
    """Against a brute force: no feasible composition of the same elements is nearer than the projection."""
    rng = np.random.default_rng(1)
    drawn = table(12, 3).X
    brought, moved = legal(drawn, TWELVE, seed=0)
    assert (moved > 0.0).mean() > 0.9
    for x, there in zip(drawn[:8], brought[:8], strict=True):
        region = TWELVE.region(there > 1e-9)
        others = region.sample(300, rng)
        near = there + rng.uniform(0.0, 0.2, (300, 1)) * (others - there)  # convex: legal as well
        assert np.linalg.norm(x - there) <= np.linalg.norm(x - np.vstack([others, near]), axis=1).min() + 1e-9


def test_draws_that_obey_stay_as_they_are():
    X = TWELVE.sample(50, seed=2)
    brought, moved = legal(X, TWELVE, seed=0)
    np.testing.assert_array_equal(brought, X)
    assert moved.tolist() == [0.0] * 50


FILMS_OF = 10
"""Random campaigns of which films are sought."""


def sought(problem, number):
    """Films from generated starts, climbed and not, after three random ones were read."""
    random = problem.model_copy(update={"policy": RandomFilms()})
    width = problem.space.dimension + len(problem.space.process_columns)
    none = Dataset.empty(width, len(problem.properties))
    made = [a.film for a in propose(random, None, none, pending=[], count=3, seed=number)]
    data = film_lab.measured(problem, made, seed=number)
    if len(np.unique(data.X[:, : problem.space.dimension], axis=0)) < 8:
        return []
    small = ConditionalVAE(steps=30, width=8, latent=2, pool=2, batch=8)
    generator = train_generator(small, Examples.of(problem, data), seed=number).generator
    climbed = ExpectedImprovement(mc_samples=16, raw_films=24, restarts=1, starts="generated")
    found = []
    for policy in (climbed, InverseDesign(draws=16, top=2, mc_samples=16)):
        known = problem.model_copy(update={"policy": policy, "initial_films": 1, "generator": small})
        bundle = film_lab.bundle(known, data)
        (answer,) = propose(known, bundle, data, pending=[], count=1, seed=number, generator=generator)
        assert answer.source == "model"
        found.append(answer)
    return found


def test_films_from_generated_starts_obey_the_rules_of_random_campaigns():
    rng, broken, origins = np.random.default_rng(11), [], set()
    for number in range(FILMS_OF):
        problem = random_problem(rng, RandomFilms())
        if problem is not None:
            for answer in sought(problem, number):
                origins.add(answer.start)
                broken += [(number, rule) for rule in broken_rules(problem, answer.film)]
    assert broken == []
    assert origins >= {"generator", "jitter"}
