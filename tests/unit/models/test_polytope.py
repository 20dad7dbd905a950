import numpy as np

from models.polytope import STEP, descend, polytope

BOX = np.vstack([np.eye(2), -np.eye(2)])
SUM = np.ones((1, 3))
POSITIVE = -np.eye(3)


def simplex():
    return polytope(POSITIVE, np.zeros(3), SUM, np.ones(1))


def test_an_empty_region_is_none():
    assert polytope(BOX, np.array([1.0, 1.0, -2.0, 0.0]), np.empty((0, 2)), np.empty(0)) is None


def test_the_centre_is_strictly_inside():
    region = simplex()
    assert region.freedom == 2
    assert (region.centre > 1e-3).all()
    assert np.isclose(region.centre.sum(), 1.0, atol=1e-14)


def test_inequalities_that_meet_are_found_to_be_an_equality():
    G = np.vstack([POSITIVE, [[1.0, 1.0, 0.0]], [[-1.0, -1.0, 0.0]]])
    region = polytope(G, np.array([0.0, 0.0, 0.0, 0.4, -0.4]), SUM, np.ones(1))
    assert region.freedom == 1
    assert np.allclose(region.sample(50, np.random.default_rng(0))[:, 2], 0.6, atol=1e-12)


def test_samples_of_the_simplex_are_uniform():
    points = simplex().sample(4000, np.random.default_rng(0))
    assert (points > -1e-12).all()
    # Uniform on the triangle: each fraction is Beta(1, 2), with mean 1/3 and variance 1/18.
    assert np.allclose(points.mean(axis=0), 1 / 3, atol=0.02)
    assert np.allclose(points.var(axis=0), 1 / 18, atol=0.005)


def test_a_pull_ends_at_the_target_or_at_the_border():
    region = simplex()
    start = np.full((2, 3), 1 / 3)
    ended = region.pull(start, np.array([[0.5, 0.3, 0.2], [4 / 3, 1 / 3, -2 / 3]]))
    assert np.allclose(ended[0], [0.5, 0.3, 0.2])
    assert np.allclose(ended[1], [2 / 3, 1 / 3, 0.0])


def test_repair_moves_a_near_miss_by_about_as_much_as_it_missed():
    missed = np.array([[0.7 + 1e-8, 0.3, -1e-8]])
    mended = simplex().repair(missed)
    assert mended.min() >= -1e-16
    assert np.abs(mended - missed).max() < 1e-7


def test_inner_coordinates_are_inverse_to_each_other():
    region = simplex()
    points = region.sample(5, np.random.default_rng(1))
    assert np.allclose(region.from_inner(region.to_inner(points)), points, atol=1e-14)


def test_rows_a_hair_apart_leave_a_region():
    G = np.vstack([POSITIVE, np.eye(3)[0], -np.eye(3)[0]])
    region = polytope(G, np.array([0.0, 0.0, 0.0, 0.3 + 1e-8, -0.3]), SUM, np.ones(1))
    points = region.sample(20, np.random.default_rng(0))
    assert region.freedom == 1
    assert (points @ G.T - [0.0, 0.0, 0.0, 0.3 + 1e-8, -0.3]).max() <= 1e-12


def test_equalities_that_contradict_each_other_leave_nothing():
    assert polytope(POSITIVE, np.zeros(3), np.vstack([SUM, SUM]), np.array([1.0, 0.9])) is None


def test_a_descent_from_the_border_ends_at_the_foot_of_the_minimum():
    region, lowest = simplex(), np.array([0.3, 0.9, -0.2])

    def loss(v):
        away = region.from_inner(STEP * v) - lowest
        return float(away @ away), 2.0 * STEP * (away @ region.basis)

    for start in ([1.0, 0.0, 0.0], [0.7, 0.3, 0.0], [0.1, 0.2, 0.7]):
        ended = descend(region, np.array(start), loss, close=1e-10)
        assert np.allclose(ended, [0.2, 0.8, 0.0], atol=1e-4)
        assert (ended >= -1e-12).all()


def test_a_descent_within_a_point_stays_there():
    point = polytope(POSITIVE, np.zeros(3), np.eye(3), np.array([0.2, 0.3, 0.5]))
    assert descend(point, point.centre, lambda v: (0.0, v), close=1e-6).tolist() == point.centre.tolist()
