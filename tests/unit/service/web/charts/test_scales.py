import math
from itertools import pairwise

import pytest

from service.web.charts.scales import between, fitted, significant, whole, with_uncertainty, written


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.0, 10.0], [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]),
        ([1.7, 11.3], [2.0, 4.0, 6.0, 8.0, 10.0]),
        ([-0.013, 0.021], [-0.01, 0.0, 0.01, 0.02]),
    ],
)
def test_ticks_are_round_and_inside(values, ticks):
    scale = fitted(values)
    assert scale.ticks == pytest.approx(ticks)
    assert all(scale.lower <= t <= scale.upper for t in scale.ticks)


@pytest.mark.parametrize("low", [-3.0, 0.0, 1e-9, 5e6])
@pytest.mark.parametrize("span", [1e-7, 0.3, 17.0, 4e8])
def test_a_scale_holds_its_values_and_has_a_few_ticks(low, span):
    scale = fitted([low, low + span])
    assert scale.share(low) >= 0.0
    assert scale.share(low + span) <= 1.0
    assert 3 <= len(scale.ticks) <= 11
    assert all(math.isclose(b - a, scale.step, rel_tol=1e-6) for a, b in pairwise(scale.ticks))


def test_one_value_and_none_have_a_scale_too():
    assert fitted([7.0]).share(7.0) == pytest.approx(0.5)
    assert fitted([0.0, 0.0]).lower < 0.0 < fitted([]).upper
    assert fitted([float("nan"), 2.0, 3.0, float("inf")]).upper == pytest.approx(3.04)


def test_a_scale_around_a_value_reaches_as_far_either_way():
    scale = fitted([-1.0, 3.0], around=0.0)
    assert scale.lower == -scale.upper


def test_counts_have_whole_ticks():
    for films in (0, 1, 3, 7, 23, 400, 7_700):
        assert all(t == round(t) for t in whole(films).ticks)
        assert whole(films).upper >= films


def test_a_power_of_ten_is_written_once():
    scale = between(0.0, 4e-8)
    assert scale.exponent == -9
    assert [scale.label(t) for t in scale.ticks] == ["0", "10", "20", "30", "40"]
    assert scale.unit("Ω m") == "10⁻⁹ Ω m"
    assert between(0.0, 4.0).unit("V") == "V"


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [(-2.0, 1.0, "−2"), (0.25, 0.25, "0.25"), (-0.0004, 0.1, "0.0"), (2.5, 2.5, "2.5"), (1200.0, 200.0, "1200")],
)
def test_numbers_have_the_decimals_that_their_step_needs(value, step, text):
    assert written(value, step) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (10.9214, "10.9"),
        (-0.00123, "−0.00123"),
        (1.5e-9, "1.50×10⁻⁹"),
        (3.2e7, "3.20×10⁷"),
        (float("nan"), "–"),
    ],
)
def test_numbers_in_sentences(value, text):
    assert significant(value) == text


@pytest.mark.parametrize(
    ("value", "sd", "text"),
    [
        (10.9214, 0.1234, "10.92 ± 0.12"),
        (1702.4, 31.0, "1702 ± 31"),
        (-0.5, 0.0261, "−0.500 ± 0.026"),
        (5.0, None, "5.000"),
    ],
)
def test_values_are_given_to_the_second_digit_of_their_uncertainty(value, sd, text):
    assert with_uncertainty(value, sd) == text
