import numpy as np
import pytest

from models.catalog import RandomFilms
from models.composition import CategoricalVariable, ContinuousVariable, GroupRule, SearchSpace
from models.dataset import Dataset
from models.film import FilmChoice, FilmGeometry
from models.policies.pool import even_pool, promising_pool
from models.propose import propose
from tests.oracles import film_lab
from tests.oracles.small_campaign import question

SPACE = SearchSpace(
    elements=("A", "B", "C", "D"),
    groups=(GroupRule(name="heavy", elements=("C", "D"), upper=0.5, max_present=1),),
    process=(
        ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0),
        CategoricalVariable(name="substrate", choices=("Si", "MgO")),
    ),
)


@pytest.fixture(scope="module")
def asked():
    problem = film_lab.problem_of(SPACE, FilmGeometry(devices=6, span_min=0.05, span_max=0.3), RandomFilms())
    made = propose(problem, None, Dataset.empty(7), pending=[], count=4, seed=1)
    data = film_lab.measured(problem, [r.film for r in made])
    return question(film_lab.surrogate(problem, data), problem=problem, data=data)


def legal(points):
    process = points[:, 4:]
    categories = np.sort(process[:, 1:], axis=1)
    inside = (process >= 0.0).all() and (process <= 1.0).all() and (categories == [0.0, 1.0]).all()
    return inside and not any(SPACE.violations(x) for x in points[:, :4])


def test_even_points_are_feasible_distinct_and_everywhere(asked):
    points = even_pool(asked, 400)
    assert legal(points)
    assert 390 <= len(points) <= 404
    assert len(np.unique(points, axis=0)) == len(points)
    for rich in range(4):
        assert (points[:, rich] > 0.4).any()
    assert points[:, 5].mean() == pytest.approx(0.5, abs=0.1)


def test_promising_points_are_feasible_and_many_of_them_have_a_good_mean(asked):
    pool, even = promising_pool(asked, 400), even_pool(asked, 400)
    assert legal(pool.points)
    assert 300 < len(pool.points) < 450
    np.testing.assert_array_equal(pool.worth, asked.model().predict(pool.points).mean[:, 0])
    level = np.quantile(asked.model().predict(even).mean[:, 0], 0.95)
    assert (pool.worth > level).mean() > 0.3


def test_the_points_that_were_read_are_among_them(asked):
    pool = {x.tobytes() for x in promising_pool(asked, 128).points}
    assert {x.tobytes() for x in asked.dataset.X} <= pool


def test_of_listed_films_every_device_is_looked_at():
    listed = (FilmChoice(a={"A": 0.5, "B": 0.5}, b={"A": 0.1, "B": 0.9}), FilmChoice(a={"C": 1.0}, b={"B": 1.0}))
    space = SearchSpace(elements=("A", "B", "C"))
    problem = film_lab.problem_of(space, FilmGeometry(devices=3, choices=listed), RandomFilms())
    made = propose(problem, None, Dataset.empty(3), pending=[], count=1, seed=1)
    data = film_lab.measured(problem, [r.film for r in made])
    ask = question(film_lab.surrogate(problem, data), problem=problem, data=data)
    points = {tuple(x) for x in np.round(promising_pool(ask, 64).points, 9)}
    assert points == {(0.5, 0.5, 0.0), (0.3, 0.7, 0.0), (0.1, 0.9, 0.0), (0, 0, 1), (0, 0.5, 0.5), (0, 1, 0)}
    assert len(even_pool(ask, 4)) == 4
