import numpy as np
import pytest
from pydantic import ValidationError

from models.composition import (
    CategoricalVariable,
    ContinuousVariable,
    ElementBounds,
    GroupRule,
    LinearRule,
    SearchSpace,
)
from models.errors import InvalidComposition

ALLOY = SearchSpace(
    elements=("Fe", "Co", "Ta", "W"),
    bounds=(
        ElementBounds(element="Fe", lower=0.2, upper=0.8),
        ElementBounds(element="W", absent_or_at_least=0.05),
    ),
    groups=(GroupRule(name="heavy", elements=("Ta", "W"), upper=0.3, max_present=1),),
    linear=(LinearRule(name="electrons", coefficients={"Fe": 8.0, "Co": 9.0, "Ta": 5.0, "W": 6.0}, lower=7.0),),
    process=(
        ContinuousVariable(name="anneal", unit="K", lower=300.0, upper=900.0),
        CategoricalVariable(name="substrate", choices=("Si", "MgO", "glass")),
    ),
)


def test_a_legal_composition_breaks_no_rule():
    assert ALLOY.violations(np.array([0.5, 0.3, 0.2, 0.0])) == []


@pytest.mark.parametrize(
    ("x", "named"),
    [
        ([0.5, 0.3, 0.3, 0.0], "sum to 1"),
        ([0.1, 0.7, 0.2, 0.0], "Fe >= 0.2"),
        ([0.9, 0.1, 0.0, 0.0], "Fe <= 0.8"),
        ([0.7, 0.4, -0.1, 0.0], "Ta >= 0"),
        ([0.4, 0.2, 0.4, 0.0], "group heavy <= 0.3"),
        ([0.5, 0.3, 0.1, 0.1], "at most 1 present"),
        ([0.5, 0.48, 0.0, 0.02], "W absent or >= 0.05"),
        ([0.2, 0.3, 0.5, 0.0], "electrons >= 7"),
    ],
)
def test_a_broken_rule_is_named(x, named):
    assert any(named in v for v in ALLOY.violations(np.array(x)))


def test_a_break_below_the_tolerance_is_none():
    assert ALLOY.violations(np.array([0.8 + 5e-10, 0.2 - 5e-10, 0.0, 0.0])) == []
    assert ALLOY.violations(np.array([0.8 + 5e-9, 0.2 - 5e-9, 0.0, 0.0])) != []


def test_the_tolerance_is_one_of_fractions_whatever_the_unit_of_a_rule():
    melting = LinearRule(name="melting point", coefficients={"A": 3.0e9, "B": 1.0e9}, upper=2.0e9)
    space = SearchSpace(elements=("A", "B"), linear=(melting,))
    assert space.violations(np.array([0.5 + 5e-10, 0.5 - 5e-10])) == []
    assert space.violations(np.array([0.5 + 5e-9, 0.5 - 5e-9])) != []


@pytest.mark.parametrize("x", [[0.5, 0.5], [0.5, 0.5, np.nan, 0.0]])
def test_what_is_no_composition_is_refused(x):
    with pytest.raises(InvalidComposition, match="4 finite fractions"):
        ALLOY.violations(np.array(x))


def test_process_values_survive_the_unit_cube():
    values = {"anneal": 450.0, "substrate": "MgO"}
    columns = ALLOY.encode_process(values)
    assert columns.tolist() == [0.25, 0.0, 1.0, 0.0]
    assert ALLOY.decode_process(columns) == values


def test_decoded_values_stay_in_their_range():
    third = ContinuousVariable(name="t", unit="s", lower=0.1, upper=0.3)
    space = SearchSpace(elements=("A", "B"), process=(third,))
    for u in np.linspace(0.0, 1.0, 101):
        assert 0.1 <= space.decode_process(np.array([u]))["t"] <= 0.3


@pytest.mark.parametrize(
    "values",
    [
        {"anneal": 450.0},
        {"anneal": 450.0, "substrate": "MgO", "more": 1.0},
        {"anneal": 950.0, "substrate": "MgO"},
        {"anneal": float("nan"), "substrate": "MgO"},
        {"anneal": "hot", "substrate": "MgO"},
        {"anneal": 450.0, "substrate": "wood"},
    ],
)
def test_process_values_out_of_place_are_refused(values):
    with pytest.raises(InvalidComposition):
        ALLOY.encode_process(values)


def test_a_process_vector_of_the_wrong_length_is_refused():
    with pytest.raises(InvalidComposition):
        ALLOY.decode_process(np.array([0.5]))


def test_an_empty_space_names_the_rules_that_clash_and_no_others():
    with pytest.raises(ValidationError, match="no composition obeys all of") as refused:
        SearchSpace(
            elements=("Fe", "Ga", "Pd"),
            bounds=(ElementBounds(element="Fe", lower=0.6), ElementBounds(element="Pd", upper=0.9)),
            groups=(GroupRule(name="rest", elements=("Ga", "Pd"), lower=0.5),),
        )
    text = str(refused.value)
    assert "Fe >= 0.6" in text
    assert "group rest >= 0.5" in text
    assert "Pd <= 0.9" not in text


def test_a_space_empty_by_presence_alone_is_refused():
    lows = tuple(ElementBounds(element=e, lower=0.1) for e in ("A", "B", "C"))
    with pytest.raises(ValidationError, match="at most 2"):
        SearchSpace(
            elements=("A", "B", "C"),
            bounds=lows,
            groups=(GroupRule(name="all", elements=("A", "B", "C"), max_present=2),),
        )


@pytest.mark.parametrize(
    "rules",
    [
        {"elements": ("Fe", "Fe")},
        {"elements": ("Fe", "Ga"), "bounds": ({"element": "Pd"},)},
        {"elements": ("Fe", "Ga"), "bounds": ({"element": "Fe"}, {"element": "Fe"})},
        {"elements": ("Fe", "Ga"), "bounds": ({"element": "Fe", "lower": 0.5, "upper": 0.4},)},
        {"elements": ("Fe", "Ga"), "process": ({"kind": "categorical", "name": "s", "choices": ("a", "a")},)},
        {"elements": ("Fe", "Ga"), "linear": ({"name": "f", "coefficients": {"Fe": float("inf")}},)},
    ],
)
def test_rules_that_make_no_sense_are_refused(rules):
    with pytest.raises(ValidationError):
        SearchSpace.model_validate(rules)


def test_samples_obey_every_rule_visit_every_support_and_repeat_by_seed():
    points = ALLOY.sample(200, seed=4)
    assert points.shape == (200, 4)
    assert [v for x in points for v in ALLOY.violations(x)] == []
    assert (points[:, 2] > 0.0).any()
    assert (points[:, 3] > 0.0).any()
    assert np.array_equal(points, ALLOY.sample(200, seed=4))
    assert not np.array_equal(points, ALLOY.sample(200, seed=5))


def test_a_space_with_a_single_composition_samples_it():
    space = SearchSpace(elements=("A", "B"), bounds=(ElementBounds(element="A", lower=0.3, upper=0.3),))
    assert np.allclose(space.sample(3, seed=0), [0.3, 0.7], atol=1e-12)


def test_a_copy_with_other_rules_has_their_inequalities():
    space = SearchSpace(elements=("A", "B"))
    assert space.inequalities()[1].tolist() == [0.0, 1.0, 0.0, 1.0]
    copy = space.model_copy(update={"bounds": (ElementBounds(element="A", upper=0.5),)})
    assert copy.inequalities()[1].tolist() == [0.0, 0.5, 0.0, 1.0]
    assert copy != space


def test_json_carries_the_space_unchanged():
    assert SearchSpace.model_validate_json(ALLOY.model_dump_json()) == ALLOY
