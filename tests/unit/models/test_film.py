import numpy as np
import pytest
from pydantic import ValidationError

from models.composition import CategoricalVariable, ContinuousVariable, GroupRule, SearchSpace
from models.errors import InvalidComposition
from models.film import Film, FilmGeometry, film_violations, mixing
from tests.oracles.wedge import deposited

SPACE = SearchSpace(elements=("A", "B", "C"), groups=(GroupRule(name="g", elements=("B", "C"), max_present=1),))
NONE = np.empty(0)


def film(a, b, devices=5):
    return Film(np.array(a), np.array(b), NONE, np.linspace(0.0, 1.0, devices))


@pytest.mark.parametrize("ratio", [0.4, 1.0, 3.0])
def test_the_wedge_agrees_with_a_deposition_followed_in_time(ratio):
    u = np.array([3.0, 1.0, 0.5])
    v = np.array([0.2, 1.5, 2.0])
    v *= ratio * u.sum() / v.sum()
    made = Film(u / u.sum(), v / v.sum(), NONE, mixing(np.linspace(0.0, 1.0, 7), ratio))
    followed = [deposited(u, v, t) for t in np.linspace(0.0, 1.0, 7)]
    assert np.allclose(made.compositions(), followed, atol=2e-4)


def test_points_carry_the_process_at_every_device():
    points = Film(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.25]), np.array([0.0, 0.5])).points()
    assert points.tolist() == [[1.0, 0.0, 0.25], [0.5, 0.5, 0.25]]


def test_one_device_sits_in_the_middle():
    assert FilmGeometry(devices=1).device_positions().tolist() == [0.5]


def test_given_positions_are_used():
    assert FilmGeometry(devices=3, positions=(0.1, 0.2, 0.9)).mixing().tolist() == [0.1, 0.2, 0.9]


@pytest.mark.parametrize(
    "geometry",
    [
        {"devices": 3, "positions": (0.0, 1.0)},
        {"devices": 2, "positions": (0.5, 0.5)},
        {"span_min": 0.5, "span_max": 0.4},
        {"devices": 0},
        {"flux_ratio": 0.0},
    ],
)
def test_geometries_that_make_no_sense_are_refused(geometry):
    with pytest.raises(ValidationError):
        FilmGeometry.model_validate(geometry)


def test_ends_must_be_finite_and_alike():
    with pytest.raises(InvalidComposition):
        film([1.0, 0.0], [0.0, 0.5, 0.5])
    with pytest.raises(InvalidComposition):
        film([1.0, np.nan], [0.0, 1.0])


def test_a_legal_film_breaks_no_rule():
    assert film_violations(film([0.5, 0.5, 0.0], [0.8, 0.2, 0.0]), SPACE, FilmGeometry(devices=5)) == []


@pytest.mark.parametrize(
    ("a", "b", "geometry", "named"),
    [
        ([0.5, 0.5, 0.0], [0.5, 0.0, 0.5], FilmGeometry(), "of a group present in a film"),
        ([0.5, 0.5, 0.0], [0.9, 0.1, 0.0], FilmGeometry(span_max=0.3), "span 0 to 0.3"),
        ([0.5, 0.5, 0.0], [0.6, 0.4, 0.0], FilmGeometry(span_min=0.2), "span 0.2 to 1"),
        ([0.5, 0.3, 0.0], [0.8, 0.2, 0.0], FilmGeometry(), "device 0: fractions sum to 1"),
    ],
)
def test_a_rule_broken_by_a_film_is_named(a, b, geometry, named):
    assert any(named in v for v in film_violations(film(a, b), SPACE, geometry))


def test_a_third_element_that_changes_breaks_pair_grading():
    free = SearchSpace(elements=("A", "B", "C"))
    broken = film_violations(film([0.5, 0.3, 0.2], [0.6, 0.25, 0.15]), free, FilmGeometry(grading="pair"))
    assert broken == ["two elements trade: 3 change"]


def test_a_process_outside_the_cube_is_named():
    space = SearchSpace(elements=("A", "B"), process=(ContinuousVariable(name="T", unit="K", lower=1.0, upper=2.0),))
    hot = Film(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([1.5]), np.array([0.0, 1.0]))
    assert any("process within the unit cube" in v for v in film_violations(hot, space, FilmGeometry(devices=2)))


OVEN = ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0, step=250.0)
STEPPED = SearchSpace(elements=("A", "B"), process=(OVEN, CategoricalVariable(name="s", choices=("x", "y"))))


@pytest.mark.parametrize(
    ("process", "broken"),
    [
        ([0.0, 1.0, 0.0], []),
        ([250.0 / 600.0, 0.0, 1.0], []),
        ([0.5, 0.0, 1.0], ["T in steps of 250 K: is 600"]),
        ([1.0, 0.0, 1.0], ["T in steps of 250 K: is 900"]),
        ([0.0, 0.5, 0.5], ["s is one of ['x', 'y']: its columns are [0.5 0.5]"]),
        ([0.0, 1.0, 1.0], ["s is one of ['x', 'y']: its columns are [1. 1.]"]),
    ],
)
def test_process_values_between_steps_and_choices_are_named(process, broken):
    made = Film(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array(process), np.array([0.0, 1.0]))
    assert film_violations(made, STEPPED, FilmGeometry(devices=2)) == broken


@pytest.mark.parametrize("step", [0.0, -1.0, 700.0, 1e-6])
def test_a_step_that_does_not_divide_the_range_is_refused(step):
    with pytest.raises(ValidationError):
        ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0, step=step)
