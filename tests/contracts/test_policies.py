"""What every policy in the catalogue promises, whatever it does."""

from typing import get_args

import numpy as np
import pytest

from models.catalog import PolicyChoice, RandomFilms
from models.composition import CategoricalVariable, ContinuousVariable, GroupRule, SearchSpace
from models.dataset import Dataset
from models.film import FilmGeometry, film_violations
from models.propose import propose
from models.registry import POLICIES, policy_for
from tests.oracles import film_lab

SMALL = {"mc_samples": 32, "raw_films": 48, "restarts": 2, "pool": 128}


def small(kind):
    """A kind with whichever of the options it has that make it fast."""
    return kind(**{name: value for name, value in SMALL.items() if name in kind.model_fields})


CATALOGUE = [small(kind) for kind in get_args(get_args(PolicyChoice)[0])]

SPACE = SearchSpace(
    elements=("A", "B", "C", "D"),
    groups=(GroupRule(name="heavy", elements=("C", "D"), upper=0.5, max_present=1),),
    process=(
        ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0),
        CategoricalVariable(name="substrate", choices=("Si", "MgO")),
    ),
)
GEOMETRY = FilmGeometry(devices=6, span_min=0.05, span_max=0.3)


@pytest.fixture(params=CATALOGUE, ids=lambda choice: choice.name)
def problem(request):
    return film_lab.problem_of(SPACE, GEOMETRY, request.param)


@pytest.fixture
def data(problem):
    return measured(problem)


def measured(problem):
    """Readings of four random films."""
    random = problem.model_copy(update={"policy": RandomFilms()})
    made = propose(random, None, Dataset.empty(7, len(problem.objectives)), pending=[], count=4, seed=1)
    return film_lab.measured(problem, [r.film for r in made])


def ask(problem, data, *, seed=0, count=1, pending=()):
    return propose(problem, film_lab.bundle(problem, data), data, pending=pending, count=count, seed=seed)


def points(answers):
    return np.array([a.film.points() for a in answers])


def test_every_name_in_the_catalogue_has_an_implementation_and_no_other():
    assert {choice.name for choice in CATALOGUE} == set(POLICIES)


def test_shapes_and_flags(problem, data):
    (answer,) = ask(problem, data)
    assert problem.policy.name in {answer.policy, "auto"}
    assert answer.policy in POLICIES
    assert answer.source == ("model" if policy_for(problem.policy).needs_model else problem.policy.name)
    assert answer.film.points().shape == (6, 7)
    assert answer.mean.shape == answer.sd.shape == (6, len(problem.objectives))
    assert (answer.sd > 0.0).all()
    assert answer.reason
    assert (answer.gain is None) is not policy_for(problem.policy).needs_model


def test_every_film_obeys_every_rule(problem, data):
    answers = ask(problem, data, count=3)
    assert [v for a in answers for v in film_violations(a.film, SPACE, GEOMETRY)] == []
    assert len({a.film.points().tobytes() for a in answers}) == 3


def test_the_same_seed_gives_the_same_films(problem, data):
    assert np.array_equal(points(ask(problem, data, count=2)), points(ask(problem, data, count=2)))


def test_another_seed_gives_another_film(problem, data):
    assert not np.array_equal(points(ask(problem, data)), points(ask(problem, data, seed=1)))


def test_the_order_of_readings_and_of_films_in_flight_is_irrelevant(problem, data):
    flight = [a.film for a in ask(problem, data, seed=8, count=3)]
    shuffled = data.take(np.random.default_rng(0).permutation(len(data)))
    one = ask(problem, data, pending=flight)
    other = ask(problem, shuffled, pending=flight[::-1])
    assert np.array_equal(points(one), points(other))
    assert np.array_equal(one[0].mean, other[0].mean)
    assert one[0].reason == other[0].reason


def test_films_in_flight_move_the_choice(problem, data):
    (alone,) = ask(problem, data)
    (beside,) = ask(problem, data, pending=[alone.film])
    assert not np.array_equal(alone.film.points(), beside.film.points())
