import itertools

import numpy as np
import pytest

from models.composition import ContinuousVariable, ElementBounds, SearchSpace
from models.deposition import DepositionGrid, Source
from models.film import Film, FilmGeometry, film_violations
from models.rounding import Rounding, Wanted

COARSE = DepositionGrid(
    unit="W",
    sources=(
        Source(element="A", rate=1.0, step=10.0, upper=60.0),
        Source(element="B", rate=0.7, step=10.0, upper=60.0),
        Source(element="C", rate=1.3, step=10.0, lower=10.0, upper=60.0),
    ),
)
SPACE = SearchSpace(elements=("A", "B", "C"), bounds=(ElementBounds(element="A", upper=0.5),))
FREE = FilmGeometry(devices=5, span_min=0.1, span_max=0.4, grid=COARSE)
PAIR = FREE.model_copy(update={"grading": "pair", "grid": COARSE.model_copy(update={"constant_within": 0.03})})
ALL = np.ones(3, dtype=bool)


def wanted(a, b, pair=None, process=()):
    return Wanted(Film(np.array(a), np.array(b), np.array(process), np.linspace(0.0, 1.0, 5)), ALL, pair)


def missed(film, asked):
    return max(np.abs(film.a - asked.film.a).max(), np.abs(film.b - asked.film.b).max())


def test_without_steps_any_film_can_be_made_as_wanted():
    assert Rounding(SPACE, FilmGeometry()).exact
    assert not Rounding(SPACE, FREE).exact


@pytest.mark.parametrize("geometry", [FREE, PAIR], ids=["free", "pair"])
def test_rounded_films_obey_every_rule(geometry):
    rng, rounding = np.random.default_rng(0), Rounding(SPACE, geometry)
    for _ in range(20):
        a, b = rng.dirichlet([2.0, 2.0, 2.0], 2)
        asked = wanted(a, b, None if geometry is FREE else (0, 1))
        films = rounding.nearest(asked, 5)
        assert [rule for film in films for rule in film_violations(film, SPACE, geometry)] == []
        assert sorted(missed(f, asked) for f in films) == [missed(f, asked) for f in films]


def test_the_nearest_film_is_nearly_the_nearest_of_all():
    """Every film of the grid is listed; rounding at several total fluxes misses by little more than the best one."""
    asked = wanted([0.4, 0.35, 0.25], [0.2, 0.4, 0.4])
    (found,) = Rounding(SPACE, FREE).nearest(asked)
    steps = np.array(list(itertools.product(range(7), range(7), range(1, 7)))) * [10.0, 7.0, 13.0]
    ends = steps / steps.sum(axis=1, keepdims=True)
    least = [np.abs(ends[ends[:, 0] <= 0.5] - x).max(axis=1).min() for x in (asked.film.a, asked.film.b)]
    assert missed(found, asked) <= max(least) + 0.02


def test_a_film_whose_nearest_commands_break_a_rule_is_led_back():
    bound = SearchSpace(elements=("A", "B", "C"), bounds=(ElementBounds(element="A", lower=0.49, upper=0.5),))
    films = Rounding(bound, FREE).nearest(wanted([0.495, 0.4, 0.105], [0.495, 0.2, 0.305]))
    assert films
    assert film_violations(films[0], bound, FREE) == []


def test_no_film_is_found_where_none_exists():
    exact = SearchSpace(elements=("A", "B", "C"), bounds=(ElementBounds(element="A", lower=0.4999, upper=0.49995),))
    assert Rounding(exact, FREE).nearest(wanted([0.49992, 0.3, 0.20008], [0.49992, 0.2, 0.30008])) == []


@pytest.mark.parametrize("geometry", [FREE, PAIR], ids=["free", "pair"])
def test_neighbours_obey_every_rule_and_differ_by_one_step(geometry):
    rounding, pair = Rounding(SPACE, geometry), None if geometry is FREE else (0, 1)
    (film,) = rounding.nearest(wanted([0.4, 0.35, 0.25], [0.2, 0.5, 0.3] if pair is None else [0.25, 0.5, 0.25], pair))
    around = rounding.neighbours(Wanted(film, ALL, pair))
    assert around
    for other in around:
        assert film_violations(other, SPACE, geometry) == []
        told = np.abs(np.array([other.commands.a - film.commands.a, other.commands.b - film.commands.b]))
        assert set(told.ravel().tolist()) == {0.0, 10.0}
        assert np.count_nonzero(told) <= 2


def test_a_source_outside_the_support_stays_off():
    asked = Wanted(wanted([0.5, 0.5, 0.0], [0.3, 0.7, 0.0]).film, np.array([True, True, False]), None)
    rounding = Rounding(SPACE, FREE)
    (film,) = rounding.nearest(asked)
    for f in (film, *rounding.neighbours(Wanted(film, asked.support, None))):
        assert f.commands.a[2] == f.commands.b[2] == 0.0


def test_process_values_are_rounded_to_steps_within_their_range():
    space = SearchSpace(
        elements=("A", "B"),
        process=(
            ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0, step=250.0),
            ContinuousVariable(name="p", unit="Pa", lower=0.0, upper=1.0),
        ),
    )
    rounding = Rounding(space, FilmGeometry(devices=5))
    asked = Wanted(wanted([0.4, 0.6], [0.2, 0.8], None, [0.95, 0.123]).film, ALL[:2], None)
    (film,) = rounding.nearest(asked)
    assert space.decode_process(film.process) == pytest.approx({"T": 800.0, "p": 0.123})
    around = [space.decode_process(f.process)["T"] for f in rounding.neighbours(Wanted(film, ALL[:2], None))]
    assert around == [pytest.approx(550.0)]  # 1050 K is above the range
