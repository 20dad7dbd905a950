"""What every policy in the catalogue promises, whatever it does."""

from dataclasses import fields, replace
from typing import get_args

import numpy as np
import pytest

from models.catalog import PolicyChoice, RandomFilms
from models.composition import CategoricalVariable, ContinuousVariable, GroupRule, SearchSpace
from models.dataset import Dataset
from models.film import FilmChoice, FilmGeometry, chosen_film, film_violations
from models.propose import propose
from models.registry import POLICIES, policy_for
from models.surrogates.film_gp import FilmGP
from tests.oracles import film_lab

SMALL = {"mc_samples": 16, "raw_films": 24, "restarts": 1, "pool": 64}


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


@pytest.fixture(scope="module", params=CATALOGUE, ids=lambda choice: choice.name)
def problem(request):
    return film_lab.problem_of(SPACE, GEOMETRY, request.param)


@pytest.fixture(scope="module")
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


def two_points(data):
    return data.take(np.array([0, 1]))


def equal_values(data):
    return replace(data, Y=np.full_like(data.Y, 3.0))


def repeated(data):
    """The first film again, under another name: every point twice."""
    first = data.take(data.films == data.films[0])
    names = np.char.add(first.names, "-again")
    return joined(first, replace(first, films=np.full(len(first), "again"), names=names, Y=first.Y + 0.1))


def mostly_dead(data):
    alive = np.arange(len(data)) < 2
    return replace(data, Y=np.where(alive[:, None], data.Y, np.nan), dead=~alive)


def joined(one, other):
    parts = {f.name: np.concatenate([getattr(one, f.name), getattr(other, f.name)]) for f in fields(one)}
    return Dataset(**parts)


@pytest.mark.parametrize("edge", [two_points, equal_values, repeated, mostly_dead], ids=lambda edge: edge.__name__)
def test_awkward_readings_are_no_obstacle(problem, data, edge):
    (answer,) = ask(problem, edge(data))
    assert film_violations(answer.film, SPACE, GEOMETRY) == []
    assert answer.gain is None or 0.0 <= answer.gain < np.inf


def test_without_any_reading_a_film_is_proposed(problem):
    (answer,) = propose(problem, None, Dataset.empty(7, len(problem.objectives)), pending=[], count=1, seed=0)
    assert film_violations(answer.film, SPACE, GEOMETRY) == []
    assert answer.source == ("random" if problem.policy.name == "random" else "space_filling")


def test_several_equally_likely_processes_decide_together(problem, data):
    state = film_lab.surrogate(problem, data).state
    sets = [
        (h, replace(h, lengthscales=0.5 * h.lengthscales), replace(h, film_variance=0.1)) for h in state.hyperparameters
    ]
    model = FilmGP(replace(state, averaged=tuple(sets)))
    assert len(model.latents()) == 3
    bundle = replace(film_lab.bundle(problem, data), surrogate=model)
    answers = propose(problem, bundle, data, pending=[], count=2, seed=0)
    assert [v for a in answers for v in film_violations(a.film, SPACE, GEOMETRY)] == []
    assert all(a.gain is None or 0.0 <= a.gain < np.inf for a in answers)


def test_films_of_more_devices_than_enter_an_acquisition_are_proposed(problem, data):
    many = problem.model_copy(update={"film": FilmGeometry(devices=40, span_min=0.05, span_max=0.3)})
    (answer,) = ask(many, data)
    assert answer.film.points().shape == (40, 7)
    assert film_violations(answer.film, SPACE, many.film) == []


def test_where_films_are_listed_one_of_them_is_chosen(problem, data):
    made = propose(problem.model_copy(update={"policy": RandomFilms()}), None, data, pending=[], count=12, seed=3)
    listed = tuple(listed_choice(answer.film) for answer in made)
    choices = problem.model_copy(update={"film": GEOMETRY.model_copy(update={"choices": listed})})
    (answer,) = ask(choices, data)
    assert listed_choice(answer.film) in listed


def test_the_process_of_a_listed_film_is_left_as_it_is_listed(problem):
    """A step says what the tools could do, the list what the lab does: neighbours of a listed film are not in it."""
    oven = ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0, step=100.0)
    space = SearchSpace(elements=("A", "B"), process=(oven,))
    ends = {"a": {"A": 0.2, "B": 0.8}, "b": {"A": 0.6, "B": 0.4}}
    listed = tuple(FilmChoice(**ends, process={"T": t}) for t in (300.0, 500.0))
    asked = film_lab.problem_of(space, FilmGeometry(devices=3, choices=listed), problem.policy)
    films = [chosen_film(choice, space, asked.film) for choice in listed]
    data = film_lab.measured(asked, films)
    answers = [ask(asked, data, seed=seed)[0].film for seed in range(3)]
    assert {space.decode_process(film.process)["T"] for film in answers} <= {300.0, 500.0}


def listed_choice(film):
    a, b = (dict(zip(SPACE.elements, np.round(end, 12).tolist(), strict=True)) for end in (film.a, film.b))
    return FilmChoice(a=a, b=b, process=SPACE.decode_process(film.process))
