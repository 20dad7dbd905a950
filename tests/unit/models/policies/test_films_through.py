import numpy as np
import pytest

from models.catalog import RandomFilms
from models.composition import CategoricalVariable, ContinuousVariable, ElementBounds, SearchSpace
from models.dataset import Dataset
from models.film import FilmChoice, FilmGeometry, film_violations
from models.policies.films_through import films_through
from models.structures import legal_film
from tests.oracles import film_lab
from tests.oracles.small_campaign import question

SPACE = SearchSpace(
    elements=("A", "B", "C", "D"),
    bounds=(ElementBounds(element="A", lower=0.1, upper=0.7),),
    process=(
        ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0),
        CategoricalVariable(name="substrate", choices=("Si", "MgO")),
    ),
)
POINT = np.array([0.4, 0.3, 0.3, 0.0, 0.25, 0.0, 1.0])


def through(geometry, space=SPACE, point=POINT):
    problem = film_lab.problem_of(space, geometry, RandomFilms())
    found = films_through(question(None, problem=problem, data=Dataset.empty(len(point))), point)
    return [legal_film(structure, row, space, geometry) for structure, w in found for row in w]


@pytest.mark.parametrize(
    "geometry",
    [
        FilmGeometry(devices=5, grading="pair"),
        FilmGeometry(devices=5, grading="pair", span_min=0.1, span_max=0.25),
        FilmGeometry(devices=4, grading="free", span_max=0.3, flux_ratio=2.0),
        FilmGeometry(devices=1, span_min=0.2),
    ],
    ids=["pair", "short", "free", "one device"],
)
def test_every_film_is_legal_grades_a_present_pair_and_has_a_device_at_the_point(geometry):
    films = through(geometry)
    assert films
    for film in films:
        assert film is not None
        assert film_violations(film, SPACE, geometry) == []
        changed = np.flatnonzero(np.abs(film.a - film.b) > 1e-9)
        assert len(changed) == 2
        assert set(changed) <= {0, 1, 2}
        assert np.abs(film.points() - POINT).max(axis=1).min() < 1e-9


def test_all_pairs_present_are_there_and_each_film_is_as_long_as_it_can_be():
    geometry = FilmGeometry(devices=5, grading="pair", span_max=0.6)
    films = through(geometry)
    pairs = {tuple(np.flatnonzero(np.abs(film.a - film.b) > 1e-9).tolist()) for film in films}
    assert pairs == {(0, 1), (0, 2), (1, 2)}
    for film in films:  # at an end an element is used up, is at its bound, or the film is as long as films may be
        ends = np.array([film.a, film.b])
        at_bound = (ends < 1e-9).any() or (ends[:, 0] < 0.1 + 1e-9).any() or (ends[:, 0] > 0.7 - 1e-9).any()
        assert at_bound or np.abs(film.a - film.b).max() > 0.6 - 1e-9


def test_no_film_goes_through_a_point_that_breaks_a_rule_or_is_of_one_element():
    geometry = FilmGeometry(devices=5, grading="pair")
    low = np.array([0.05, 0.95, 0.0, 0.0, 0.25, 0.0, 1.0])
    assert through(geometry, point=low) == []
    free = SearchSpace(elements=("A", "B"))
    assert through(FilmGeometry(devices=3, span_min=0.1), free, np.array([1.0, 0.0])) == []


def test_listed_films_are_those_with_a_device_there():
    listed = (
        FilmChoice(a={"A": 0.5, "B": 0.5}, b={"A": 0.1, "B": 0.9}),
        FilmChoice(a={"A": 0.3, "C": 0.7}, b={"B": 0.3, "C": 0.7}),
    )
    space = SearchSpace(elements=("A", "B", "C"))
    films = through(FilmGeometry(devices=3, choices=listed), space, np.array([0.3, 0.7, 0.0]))
    assert [film.a.tolist() for film in films] == [[0.5, 0.5, 0.0]]
