import numpy as np

from models.catalog import RandomFilms, SpaceFilling
from models.composition import CategoricalVariable, SearchSpace
from models.dataset import Dataset
from models.film import FilmGeometry
from models.policies.space_filling import uncovered
from models.propose import propose
from tests.oracles import film_lab

THREE = SearchSpace(elements=("A", "B", "C"))


def chosen(space, geometry, count, seed=0, pending=()):
    problem = film_lab.problem_of(space, geometry, SpaceFilling(raw_films=128))
    empty = Dataset.empty(space.dimension + len(space.process_columns))
    return [r.film for r in propose(problem, None, empty, pending=pending, count=count, seed=seed)]


def test_what_is_uncovered_is_the_mean_squared_distance():
    pool = np.array([[0.0], [1.0], [2.0]])
    films = np.array([[[0.0], [1.0]], [[2.0], [2.0]]])
    assert np.allclose(uncovered(pool, np.empty((0, 1)), films), [1 / 3, 5 / 3])
    assert np.allclose(uncovered(pool, np.array([[0.5]]), films), [1 / 3, 0.5 / 3])


def test_the_first_film_is_wide():
    (film,) = chosen(THREE, FilmGeometry(span_max=0.5), 1)
    assert np.abs(film.a - film.b).max() > 0.4


def test_films_cover_the_space_better_than_random_ones():
    def distance(films):
        points = np.vstack([f.points() for f in films])
        pool = THREE.sample(500, seed=9)
        return np.mean(np.linalg.norm(pool[:, None] - points[None], axis=2).min(axis=1))

    geometry = FilmGeometry(span_max=0.5)
    problem = film_lab.problem_of(THREE, geometry, RandomFilms())
    random = [
        distance([r.film for r in propose(problem, None, Dataset.empty(3), pending=[], count=4, seed=k)])
        for k in range(20)
    ]
    assert all(distance(chosen(THREE, geometry, 4, seed=k)) < np.median(random) for k in range(3))


def test_a_film_in_flight_is_avoided():
    first, second = chosen(THREE, FilmGeometry(span_max=0.4), 2)
    (alone,) = chosen(THREE, FilmGeometry(span_max=0.4), 1, pending=[first])
    assert np.array_equal(alone.a, second.a)
    apart = np.linalg.norm(first.points()[:, None] - second.points()[None], axis=2).min()
    assert apart > 0.02


def test_every_category_has_its_turn():
    space = SearchSpace(elements=("A", "B", "C"), process=(CategoricalVariable(name="s", choices=("x", "y")),))
    films = chosen(space, FilmGeometry(), 2)
    assert sorted(film.process.tolist() for film in films) == [[0.0, 1.0], [1.0, 0.0]]


def test_the_reason_counts_what_is_known():
    problem = film_lab.problem_of(THREE, FilmGeometry(), SpaceFilling(raw_films=8))
    first, second = propose(problem, None, Dataset.empty(3), pending=[], count=2, seed=0)
    assert first.reason.startswith("the first film")
    assert second.reason == "fills the space between 0 readings and 1 film in flight"
