import numpy as np
import pytest

from models.composition import (
    CategoricalVariable,
    ContinuousVariable,
    ElementBounds,
    GroupRule,
    LinearRule,
    SearchSpace,
)
from models.surrogates.scaling import robust_units, seen_to_whole, space_ranges


def test_ranges_follow_from_the_rules_of_all_elements():
    space = SearchSpace(
        elements=("Fe", "Ga", "Pd"),
        bounds=(ElementBounds(element="Fe", lower=0.4, upper=0.9), ElementBounds(element="Pd", lower=0.1)),
        linear=(LinearRule(name="facet", coefficients={"Ga": 1.0, "Pd": -1.0}, upper=0.1),),
    )
    low, width = space_ranges(space)
    np.testing.assert_allclose(low, [0.4, 0.0, 0.1], atol=1e-9)
    np.testing.assert_allclose(low + width, [0.9, 0.35, 0.6], atol=1e-9)


def test_groups_bound_their_members_and_process_columns_are_unit():
    space = SearchSpace(
        elements=("Fe", "Ta", "W"),
        groups=(GroupRule(name="heavy", elements=("Ta", "W"), upper=0.3),),
        process=(
            ContinuousVariable(name="anneal", unit="K", lower=300, upper=900),
            CategoricalVariable(name="substrate", choices=("Si", "MgO")),
        ),
    )
    low, width = space_ranges(space)
    np.testing.assert_allclose(low, [0.7, 0, 0, 0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(width, [0.3, 0.3, 0.3, 1, 1, 1], atol=1e-9)


def test_an_element_that_cannot_change_has_width_one():
    space = SearchSpace(elements=("Fe", "Ga"), bounds=(ElementBounds(element="Fe", lower=0.5, upper=0.5),))
    np.testing.assert_array_equal(space_ranges(space)[1], [1.0, 1.0])


def test_robust_units_of_a_normal_sample_are_its_mean_and_deviation():
    values = 4.0 + 3.0 * np.random.default_rng(0).standard_normal(20_000)
    assert robust_units(values) == pytest.approx((4.0, 3.0), rel=0.02)


def test_wild_readings_do_not_move_the_units():
    values = np.linspace(0.0, 1.0, 101)
    wild = np.concatenate([values, [1e9, -1e6]])
    assert robust_units(wild) == pytest.approx(robust_units(values), rel=0.05)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0] * 5, (0.0, 1.0)),
        ([-8.0] * 5, (-8.0, 8.0)),
        ([2.0] * 24 + [7.0], (2.0, np.std([2.0] * 24 + [7.0]))),
        ([1e-300, 2e-300], (1.5e-300, 1.0)),
    ],
)
def test_units_without_a_spread(values, expected):
    assert robust_units(np.array(values)) == pytest.approx(expected)


def test_few_films_show_less_than_the_property_does():
    """Films are lines through a drawn function of three fractions; all of it is at hand to compare."""
    rng = np.random.default_rng(0)
    points = rng.dirichlet(np.ones(3), 250)
    ratios = {}
    for films in (2, 8):
        ends = rng.dirichlet(np.ones(3), (40, films, 2))
        s = np.linspace(0.0, 1.0, 7)[:, None]
        found = []
        for lines in ends:
            x = np.vstack([points, *((1.0 - s) * a + s * b for a, b in lines)])
            distance = np.sqrt(5.0 * (((x[:, None] - x) / 0.4) ** 2).sum(-1))
            covariance = (1.0 + distance + distance**2 / 3.0) * np.exp(-distance) + 1e-8 * np.eye(len(x))
            f = np.linalg.cholesky(covariance) @ rng.standard_normal(len(x))
            centre, scale = robust_units(f[250:])
            found.append(np.log(np.sqrt(np.mean((f[:250] - centre) ** 2)) / scale))
        ratios[films] = np.exp(np.mean(found))
    assert seen_to_whole(2) / ratios[2] == pytest.approx(1.0, rel=0.5)
    assert seen_to_whole(8) / ratios[8] == pytest.approx(1.0, rel=0.35)
    assert ratios[2] > ratios[8]
    assert seen_to_whole(2) > seen_to_whole(8) > 1.0
