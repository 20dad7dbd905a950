"""What values are worth near a target, against quadrature."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from models.objective import Objective
from models.utility import LARGER, Nearer
from tests.oracles import targets

CASES = [
    (0.0, 1.0, 0.5, 0.2),
    (3.0, 0.5, 2.0, 0.0),
    (-4.0, 2.0, 1.0, 3.0),
    (2.1, 1e-3, 2.0, 0.05),
    (9.0, 0.3, 2.0, 0.5),
]


def one(value):
    return np.array([value])


@pytest.mark.parametrize(("target", "tolerance"), [(2.0, 0.5), (-1.0, 0.0)])
def test_a_value_is_worth_the_less_the_farther_it_is_and_tensors_as_much_as_arrays(target, tolerance):
    values = np.linspace(-5.0, 5.0, 101)
    near = Nearer(target, tolerance)
    expected = [targets.utility(v, target, tolerance) for v in values]
    np.testing.assert_allclose(near.of(values), expected, atol=1e-14)
    np.testing.assert_array_equal(near.of(torch.tensor(values)).numpy(), near.of(values))


@pytest.mark.parametrize(("mean", "sd", "target", "tolerance"), CASES)
def test_what_is_expected_is_the_quadrature_and_its_slopes_are_differences(mean, sd, target, tolerance):
    near = Nearer(target, tolerance)
    kinks = [target - tolerance, target, target + tolerance]
    expected = targets.mean_of(lambda v: targets.utility(v, target, tolerance), mean, sd, kinks)
    assert near.expected(one(mean), one(sd))[0] == pytest.approx(expected, abs=1e-10)
    step = 1e-5 * sd
    by_mean = np.diff(near.expected(np.array([mean - step, mean + step]), one(sd)))[0] / (2 * step)
    by_sd = np.diff(near.expected(one(mean), np.array([sd - step, sd + step])))[0] / (2 * step)
    assert near.slope(mean, sd) == pytest.approx((by_mean, by_sd), abs=1e-6)


@pytest.mark.parametrize(("mean", "sd", "target", "tolerance"), CASES)
@pytest.mark.parametrize("over", [-0.1, -2.5])
def test_improvement_is_the_quadrature(mean, sd, target, tolerance, over):
    edges = [target + side * w for side in (-1, 1) for w in (tolerance, tolerance - over)]
    expected = targets.mean_of(lambda v: max(0.0, targets.utility(v, target, tolerance) - over), mean, sd, edges)
    assert Nearer(target, tolerance).improvement(one(mean), one(sd), over)[0] == pytest.approx(expected, abs=1e-9)
    sought = Objective(property="tec", unit="ppm/K", direction="match", target=target, tolerance=tolerance)
    for side in (-1.0, 1.0):  # over a value as far off on either side
        found = sought.improvement(one(mean), one(sd), target + side * (tolerance - over))
        assert found[0] == pytest.approx(expected, abs=1e-9)


def test_nothing_improves_on_what_is_within_the_tolerance():
    assert Nearer(2.0, 0.5).improvement(one(2.0), one(1.0), 0.0).tolist() == [0.0]


@pytest.mark.parametrize(("mean", "sd", "target", "tolerance"), CASES)
def test_the_chance_is_that_of_the_normal_law(mean, sd, target, tolerance):
    expected = norm.cdf(target + tolerance, mean, sd) - norm.cdf(target - tolerance, mean, sd)
    assert Nearer(target, tolerance).chance(one(mean), one(sd))[0] == pytest.approx(expected, abs=1e-14)


def test_what_is_certain_is_what_it_is():
    near, mean, none = Nearer(2.0, 0.5), np.array([2.0, 2.25, 3.0, 0.0]), np.zeros(4)
    np.testing.assert_array_equal(near.expected(mean, none), [0.0, 0.0, -0.5, -1.5])
    np.testing.assert_array_equal(near.chance(mean, none), [1.0, 1.0, 0.0, 0.0])
    np.testing.assert_array_equal(near.improvement(mean, none, -1.0), [1.0, 1.0, 0.5, 0.0])


def test_hope_goes_as_near_as_deviations_reach():
    np.testing.assert_allclose(
        Nearer(2.0, 0.5).hoped(np.array([2.0, 5.0, 5.0]), np.array([1.0, 1.0, 2.0]), 2.0), [0.0, -0.5, 0.0]
    )
    np.testing.assert_array_equal(LARGER.hoped(one(3.0), one(0.5), 2.0), [4.0])


def test_standardised_values_are_worth_the_same_in_units_of_the_scale():
    """An offset moves the target and leaves the tolerance: 25 degC is 298.15 K, and 5 degC wide is 5 K wide."""
    near, celsius = Nearer(298.15, 5.0), np.linspace(0.0, 60.0, 13)
    np.testing.assert_allclose(Nearer(25.0, 5.0).of(celsius), near.of(celsius + 273.15), atol=1e-9)
    standard = near.standardised(centre=273.15, scale=20.0)
    np.testing.assert_allclose(20.0 * standard.of(celsius / 20.0), near.of(celsius + 273.15), atol=1e-9)
    assert near.standardised_worth(-10.0, 273.15, 20.0) == -0.5


@pytest.mark.parametrize("value", [0.0, 1e-300, 1e300])
def test_nothing_is_ever_without_a_number(value):
    near = Nearer(1.0, 0.25)
    for found in (
        near.expected(one(value), one(value)),
        near.improvement(one(value), one(value), -0.5),
        near.chance(one(value), one(value)),
        near.of(one(value)),
    ):
        assert np.isfinite(found).all()


def test_a_larger_value_is_worth_itself_bit_by_bit():
    values = torch.randn(5, dtype=torch.float64)
    assert LARGER.of(values) is values
    assert LARGER.standardised(3.0, 2.0) is LARGER
    assert LARGER.slope(1.0, 2.0) == (1.0, 0.0)
