import csv
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from models.composition import SearchSpace
from service.simulation.wafer import ELEMENTS, Wafer, from_plane, to_plane

WAFER = Wafer.load()
SPACE = SearchSpace(elements=ELEMENTS, bounds=WAFER.bounds(), linear=WAFER.rules())


def on_wafer(draws: int, seed: int = 0) -> np.ndarray:
    """Random mixtures of the hull's corners: inside by construction, without asking the wafer."""
    weights = np.random.default_rng(seed).dirichlet(np.full(len(WAFER.hull), 0.3), draws)
    return from_plane(weights @ WAFER.hull)


def test_the_data_is_the_published_one():
    with (files("service.simulation") / "data" / "fe_ga_pd.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(WAFER.values) == 278
    best = max(rows, key=lambda r: float(r["squid_v_desaturated"]))
    assert WAFER.best_value == float(best["squid_v_desaturated"]) == 10.914
    np.testing.assert_allclose(WAFER.best_composition, [0.7768, 0.1720, 0.0512], atol=1e-4)
    np.testing.assert_allclose(WAFER.compositions.sum(axis=1), 1.0, atol=1e-15)


def test_measured_points_have_their_measured_values():
    np.testing.assert_allclose(WAFER.truth(WAFER.compositions), WAFER.values, atol=1e-6)


def test_a_plane_is_interpolated_exactly():
    slope = np.array([3.0, -2.0, 5.0])
    plane = Wafer(WAFER.compositions, WAFER.compositions @ slope)
    asked = on_wafer(500)
    np.testing.assert_allclose(plane.truth(asked), asked @ slope, atol=1e-6)


@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3).filter(lambda w: sum(w) > 1e-3))
def test_the_truth_is_defined_everywhere_and_never_beats_the_wafer(weights):
    composition = np.array([weights]) / sum(weights)
    value = WAFER.truth(composition)[0]
    assert WAFER.values.min() - 1e-9 <= value <= WAFER.best_value + 1e-9


def test_outside_takes_the_value_of_the_nearest_point_of_the_hull():
    start, end = WAFER.hull[0], WAFER.hull[1]
    middle = 0.5 * (start + end)
    along = (end - start) / np.linalg.norm(end - start)
    outward = np.array([along[1], -along[0]])
    outside = from_plane((middle + 0.01 * outward)[None])
    assert not WAFER.inside(outside)[0]
    np.testing.assert_allclose(WAFER.truth(outside), WAFER.truth(from_plane(middle[None])), atol=1e-5)


def test_rules_of_the_campaign_are_the_hull():
    matrix, limits, _ = SPACE.inequalities()
    rng = np.random.default_rng(1)
    anywhere = rng.dirichlet([4, 2, 2], 4000)
    obeys = (anywhere @ matrix.T <= limits + 1e-9).all(axis=1)
    inside = WAFER.inside(anywhere)
    assert 200 < inside.sum() < 3800
    np.testing.assert_array_equal(obeys, inside)
    assert ((on_wafer(500) @ matrix.T) <= limits + 1e-9).all()
    assert WAFER.rules()[2].name == "inside the wafer, edge 3"


@pytest.mark.parametrize("element", range(3))
def test_rules_reach_exactly_as_far_as_the_wafer(element):
    matrix, limits, _ = SPACE.inequalities()
    most = linprog(-np.eye(3)[element], matrix, limits, np.ones((1, 3)), [1.0])
    assert -most.fun == pytest.approx(WAFER.compositions[:, element].max(), abs=1e-9)


def test_bounds_are_those_of_the_data_sheet():
    assert [(b.element, b.lower, b.upper) for b in WAFER.bounds()] == [
        ("Fe", 0.429, 0.856), ("Ga", 0.035, 0.479), ("Pd", 0.043, 0.526),
    ]  # fmt: skip


def test_the_ternary_map_goes_there_and_back():
    compositions = np.random.default_rng(2).dirichlet([1, 1, 1], 50)
    np.testing.assert_allclose(from_plane(to_plane(compositions)), compositions, atol=1e-14)
    corners = to_plane(np.eye(3))
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    np.testing.assert_allclose(sides, 1.0)
