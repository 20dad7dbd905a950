"""The triangle against plain geometry: distances from its sides, polygons cut by brute force."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from service.web.charts.contours import Lattice, lines, regions
from service.web.charts.ternary import Triangle, around, region

TRIANGLE = Triangle((0.4, 0.0, 0.05), 0.55, left=80.0, top=40.0, side=460.0)


def heights(places, triangle):
    """Distance of places from the three sides of the triangle on the paper, as shares of its height."""
    a, b, c = triangle.places(triangle.corners())
    found = []
    for opposite, (p, q) in zip((a, b, c), ((b, c), (c, a), (a, b)), strict=True):
        normal = np.array([-(q - p)[1], (q - p)[0]]) / np.linalg.norm(q - p)
        found.append((places - p) @ normal / ((opposite - p) @ normal))
    return np.column_stack(found)


def test_a_fraction_is_the_distance_from_its_side():
    rng = np.random.default_rng(0)
    x = np.array(TRIANGLE.lower) + TRIANGLE.size * rng.dirichlet(np.ones(3), 200)
    np.testing.assert_allclose(heights(TRIANGLE.places(x), TRIANGLE), (x - TRIANGLE.lower) / TRIANGLE.size, atol=1e-12)
    np.testing.assert_allclose(TRIANGLE.fractions(TRIANGLE.places(x)), x, atol=1e-12)


def test_corners_are_where_they_belong():
    top, left, right = TRIANGLE.places(TRIANGLE.corners())
    assert top[1] < left[1] == pytest.approx(right[1])
    assert left[0] < top[0] < right[0]
    sides = [np.linalg.norm(p - q) for p, q in ((top, left), (left, right), (right, top))]
    np.testing.assert_allclose(sides, 460.0)
    np.testing.assert_allclose(TRIANGLE.corners().sum(1), 1.0)


@pytest.mark.parametrize("seed", range(8))
def test_a_region_is_what_all_rules_leave(seed):
    rng = np.random.default_rng(seed)
    G, h = rng.standard_normal((4, 3)), rng.uniform(0.0, 0.6, 4)
    corners = region(G, h, 0.8 * np.eye(3))
    points = 0.8 * rng.dirichlet(np.ones(3), 4000)
    legal = points[(points @ G.T <= h).all(1)]
    if len(corners) < 3:
        assert len(legal) < 40
        return
    np.testing.assert_allclose(corners.sum(1), 0.8)
    assert (corners @ G.T <= h + 1e-9).all()
    hull = ConvexHull(TRIANGLE.places(corners))
    assert len(hull.vertices) == len(np.unique(np.round(corners, 9), axis=0))
    share = hull.volume / ConvexHull(TRIANGLE.places(0.8 * np.eye(3))).volume
    assert share == pytest.approx(len(legal) / len(points), abs=0.04)


def test_a_small_region_fills_its_triangle_and_a_large_one_gets_all():
    small = around(np.array([[0.8, 0.12, 0.08], [0.7, 0.22, 0.08], [0.7, 0.12, 0.18]]), 1.0, left=0, top=0, side=100)
    assert small.lower == pytest.approx((0.7, 0.1, 0.05))
    assert sum(small.lower) + small.size == pytest.approx(1.0)
    assert around(np.eye(3), 1.0, left=0, top=0, side=100).size == 1.0


def test_the_lattice_covers_the_triangle_once():
    mesh = Lattice(7)
    x, triangles = mesh.shares(), mesh.triangles()
    assert len(x) == 36
    assert len(triangles) == 49
    flat = TRIANGLE.places(TRIANGLE.on_lattice(x))
    a, b, c = (flat[triangles[:, k]] for k in range(3))
    twice = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    assert (np.sign(twice) == np.sign(twice[0])).all()
    assert abs(twice).sum() / 2 == pytest.approx(460.0**2 * np.sqrt(3) / 4)
    assert len(mesh.rim()) == 21


def area(ring):
    x, y = np.array(ring).T
    return 0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1))


@pytest.mark.parametrize("seed", range(6))
def test_filled_contours_have_the_area_above_their_level(seed):
    """Against a fine sampling of the same piecewise linear surface; rings have a sign, holes the other one."""
    rng = np.random.default_rng(seed)
    mesh = Lattice(14)
    places = TRIANGLE.places(TRIANGLE.on_lattice(mesh.shares()))
    values = sum(
        rng.standard_normal() * np.exp(-(((places - centre) / 90.0) ** 2).sum(1))
        for centre in rng.uniform(places.min(0), places.max(0), (6, 2))
    )
    levels = np.quantile(values, [0.1, 0.35, 0.6, 0.9, 0.99]).tolist()
    triangles = mesh.triangles()
    weights = rng.dirichlet(np.ones(3), 400)
    sampled = values[triangles] @ weights.T
    whole = 460.0**2 * np.sqrt(3) / 4
    for level, rings in zip(levels, regions(mesh, places, values, levels), strict=True):
        assert abs(sum(area(ring) for ring in rings)) / whole == pytest.approx((sampled >= level).mean(), abs=0.01)


def test_everything_or_nothing_above_a_level():
    mesh = Lattice(5)
    places = TRIANGLE.places(TRIANGLE.on_lattice(mesh.shares()))
    values = np.linspace(1.0, 2.0, len(places))
    everything, nothing = regions(mesh, places, values, [0.0, 3.0])
    assert len(everything) == 1
    assert abs(area(everything[0])) == pytest.approx(460.0**2 * np.sqrt(3) / 4)
    assert nothing == []


def test_lines_run_where_the_value_is_the_level_and_nowhere_else():
    mesh = Lattice(12)
    places = mesh.shares()[:, 1:]
    (line,) = lines(mesh, places, mesh.shares()[:, 1], 0.3)
    assert [x for x, _ in line] == pytest.approx([0.3] * len(line))
    ends = sorted(y for _, y in (line[0], line[-1]))
    assert ends == pytest.approx([0.0, 0.7])  # from rim to rim
    for beyond in (-0.1, 1.1):
        assert list(lines(mesh, places, mesh.shares()[:, 1], beyond)) == []


def test_a_line_round_a_hill_comes_back_to_where_it_began():
    mesh = Lattice(12)
    hill = -((mesh.shares() - 1.0 / 3.0) ** 2).sum(1)
    (line,) = lines(mesh, mesh.shares()[:, 1:], hill, -0.05)
    assert line[0] == line[-1]
    assert len(set(line)) == len(line) - 1
