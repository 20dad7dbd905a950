from math import comb

import numpy as np
import pytest

from models.catalog import RandomFilms
from models.composition import TOLERANCE, CategoricalVariable, ElementBounds, GroupRule, LinearRule, SearchSpace
from models.dataset import Dataset
from models.film import Film, FilmGeometry
from models.problem import Problem
from models.propose import propose
from models.surrogates.base import ModelBundle, columns_of
from models.surrogates.posterior_map import feasible_points, middle_process, simplex_lattice
from models.train import train
from tests.oracles import film_lab, small_lab, trade_off_lab

SIX = ("Ni", "Fe", "Co", "Mn", "Ce", "La")
SPACES = {
    "binary": SearchSpace(elements=("Fe", "Ga")),
    "ternary": SearchSpace(elements=("Fe", "Ga", "Pd")),
    "sliver": SearchSpace(elements=("Fe", "Ga", "Pd"), bounds=(ElementBounds(element="Fe", lower=0.501, upper=0.502),)),
    "at most 4 of 6": SearchSpace(elements=SIX, groups=(GroupRule(name="all", elements=SIX, max_present=4),)),
    "absent or 0.3": SearchSpace(elements=SIX, bounds=(ElementBounds(element="Ce", absent_or_at_least=0.3),)),
    "fifteen": SearchSpace(elements=tuple(f"E{k}" for k in range(15))),
}


@pytest.mark.parametrize(("dimension", "divisions"), [(2, 5), (3, 10), (4, 3)])
def test_lattice_has_every_composition_once(dimension, divisions):
    lattice = simplex_lattice(dimension, divisions)
    assert len(np.unique(lattice, axis=0)) == comb(divisions + dimension - 1, dimension - 1)
    np.testing.assert_allclose(lattice.sum(1), 1.0)
    np.testing.assert_allclose(lattice * divisions, np.round(lattice * divisions), atol=1e-12)
    assert lattice.min() >= 0.0


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("most", [50, 400])
def test_points_are_feasible_and_as_many_as_a_map_needs(space, most):
    points = feasible_points(space, most)
    assert most / 8 < len(points) <= most
    assert [v for x in points for v in space.violations(x)] == []
    np.testing.assert_array_equal(points, feasible_points(space, most))


def test_middle_process_takes_the_first_choice():
    temperature = small_lab.problem().space.process[0]
    substrate = CategoricalVariable(name="substrate", choices=("Si", "MgO"))
    space = SearchSpace(elements=("Fe", "Ga"), process=(temperature, substrate))
    np.testing.assert_array_equal(middle_process(space), [0.5, 1.0, 0.0])


@pytest.mark.parametrize("direction", ["maximise", "minimise"])
def test_map_is_the_prediction_in_physical_units(direction):
    problem = small_lab.problem(direction=direction)
    bundle = train(problem, small_lab.dataset(5), seed=0)
    drawn = bundle.posterior_map(problem, max_points=60)
    X = np.hstack([[*drawn.points, drawn.best_composition], np.full((len(drawn.points) + 1, 1), 0.5)])
    mean, sd = bundle.predict(problem, X)
    np.testing.assert_allclose([*drawn.mean, drawn.best_mean], mean[:, 0], rtol=1e-9)
    np.testing.assert_allclose([*drawn.sd, drawn.best_sd], sd[:, 0], rtol=1e-6)
    assert np.corrcoef(drawn.mean, small_lab.truth(X[:-1]))[0, 1] > 0.9
    assert type(drawn).model_validate_json(drawn.model_dump_json()) == drawn


RULES = {
    "none": {},
    "at most 2": {"groups": (GroupRule(name="all", elements=("A", "B", "C", "D"), max_present=2),)},
    "absent or 0.45": {"bounds": (ElementBounds(element="D", absent_or_at_least=0.45),)},
    "D fixed": {"bounds": (ElementBounds(element="D", lower=0.3, upper=0.3),)},
    "facet": {"linear": (LinearRule(name="facet", coefficients={"C": 1.0, "D": 2.0}, upper=0.9),)},
}


@pytest.mark.parametrize("direction", ["maximise", "minimise"])
@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_the_best_is_feasible_and_no_point_of_a_hundred_times_finer_map_is_better(rules, direction):
    objective = {"property": "signal", "unit": "V", "direction": direction}
    space = SearchSpace(elements=("A", "B", "C", "D"), process=small_lab.problem().space.process, **rules)
    problem = Problem(space=space, objectives=(objective,), film={"devices": 7})
    films = [r.film for r in propose(random_films(problem), None, Dataset.empty(5), pending=[], count=6, seed=2)]
    data = film_lab.measured(problem, films)
    bundle = ModelBundle(film_lab.surrogate(problem, data), columns_of(problem), 0, {}, data.fingerprint(), {})
    drawn = bundle.posterior_map(problem, max_points=50)
    assert space.violations(np.array(drawn.best_composition)) == []
    assert [x for x in drawn.best_composition if x < 0.0 or 0.0 < x < TOLERANCE] == []
    finest = np.vstack([feasible_points(space, 5000), space.sample(5000, seed=1)])
    mean = bundle.predict(problem, np.hstack([finest, np.full((len(finest), 1), 0.5)])).mean
    better = problem.objectives[0].to_maximised(mean[:, 0]).max() - problem.objectives[0].sign() * drawn.best_mean
    assert better < 1e-3


def random_films(problem):
    return problem.model_copy(update={"policy": RandomFilms()})


def test_a_reading_between_the_points_of_the_map_can_be_the_best():
    """A hill narrower than the map's mesh, under a device whose measured fractions add up to 1 only nearly."""
    space = SearchSpace(elements=("A", "B"))
    problem = film_lab.problem_of(space, FilmGeometry(devices=1), RandomFilms())
    top, away = np.array([0.3171, 0.6829]), np.array([0.9, 0.1])
    films = [Film(x, x, np.empty(0), np.array([0.5])) for x in (top, away)]
    data = film_lab.measured(problem, films)
    data = Dataset(data.X * (1.0 + 5e-7), np.array([[8.0], [0.0]]), data.Yvar, data.films, data.times, data.names)
    model = film_lab.surrogate(problem, data, lengthscale=0.01)
    drawn = ModelBundle(model, columns_of(problem), 0, {}, "", {}).posterior_map(problem, max_points=9)
    np.testing.assert_allclose(drawn.best_composition, top, atol=1e-3)
    assert drawn.best_mean > max(drawn.mean) + 1.0


def test_the_map_shows_every_property_in_its_own_direction():
    problem = trade_off_lab.problem(2, limited=True)
    data = trade_off_lab.measured(problem)
    bundle = film_lab.bundle(problem, data)
    drawn = bundle.posterior_map(problem, max_points=50)
    mean, sd = bundle.predict(problem, np.array(drawn.points))
    assert list(drawn.properties) == ["p0", "p1", "roughness"]
    for k, shown in enumerate(drawn.properties.values()):
        assert np.allclose(shown.mean, mean[:, k])
        assert np.allclose(shown.sd, sd[:, k])
    assert drawn.mean == drawn.properties["p0"].mean
