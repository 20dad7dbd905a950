"""A campaign may name a target instead of a direction."""

from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from models.catalog import PolicyChoice, policies_for
from models.objective import Objective, OutcomeConstraint
from models.problem import Problem

TEC = {"property": "tec", "unit": "ppm/K"}
SPACE = {"elements": ["Fe", "Ni"]}
KINDS = get_args(get_args(PolicyChoice)[0])


def test_a_target_has_a_tolerance_of_nothing_unless_one_is_said():
    sought = Objective.model_validate(TEC | {"direction": "match", "target": 2.0})
    assert (sought.target, sought.tolerance, sought.named_target()) == (2.0, 0.0, "2 ppm/K")
    wider = Objective.model_validate(TEC | {"direction": "match", "target": 2.0, "tolerance": 0.5})
    assert wider.named_target() == "2 ± 0.5 ppm/K"
    assert Objective.model_validate(TEC | {"direction": "minimise"}).named_target() == ""


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"direction": "match"}, "objective 'tec': direction 'match' needs a target"),
        ({"direction": "match", "target": None}, "direction 'match' needs a target"),
        ({"target": 2.0}, "objective 'tec': target 2 is for direction 'match', the direction is 'maximise'"),
        ({"direction": "minimise", "tolerance": 0.5}, "tolerance 0.5 is for direction 'match', .* 'minimise'"),
        ({"direction": "match", "target": 2.0, "tolerance": -0.1}, "greater than or equal to 0"),
        ({"direction": "match", "target": float("nan")}, "finite number"),
        ({"direction": "match", "target": "2"}, "valid number"),
        ({"direction": "match", "target": 2.0, "tolerance": 0.5, "reference": 2.4}, "reference 2.4 lies within"),
        ({"direction": "near", "target": 2.0}, "'maximise', 'minimise' or 'match'"),
    ],
)
def test_half_a_target_is_refused_and_the_message_says_what_is_wrong(said, message):
    with pytest.raises(ValidationError, match=message):
        Objective.model_validate(TEC | said)


@pytest.mark.parametrize("stored", [TEC, TEC | {"direction": "minimise", "reference": 4.0}])
def test_what_was_stored_before_there_were_targets_is_the_same_objective(stored):
    sought = Objective.model_validate(stored)
    assert sought.target is None
    assert sought.matched() is None
    assert Objective.model_validate(sought.model_dump(mode="json")) == sought
    values = np.array([1.5, np.nan, -3.0])
    np.testing.assert_array_equal(sought.to_maximised(values), sought.to_modelled(values))


def test_what_is_maximised_is_nearness_and_what_is_modelled_is_the_reading():
    sought = Objective.model_validate(TEC | {"direction": "match", "target": 2.0, "tolerance": 0.5})
    values = np.array([1.0, 2.4, 4.0, np.nan])
    np.testing.assert_array_equal(sought.to_modelled(values), values)
    np.testing.assert_array_equal(sought.to_maximised(values), [-0.5, 0.0, -1.5, np.nan])
    assert sought.sign() == 1.0
    assert sought.to_maximised(np.array([sought.from_maximised(-1.5)])).tolist() == [-1.5]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.model_fields["name"].default)
@pytest.mark.parametrize("limited", [False, True])
def test_every_policy_serves_a_target_or_is_refused_by_name_with_those_that_can(kind, limited):
    several = kind.objectives[0] > 1
    sought = [TEC | {"direction": "match", "target": 2.0}, {"property": "hardness", "unit": "GPa"}][: 1 + several]
    outcomes = [OutcomeConstraint(property="rho", unit="ohm m", upper=1.0)] if limited and kind.heeds_outcomes else []
    asked = {"space": SPACE, "objectives": sought, "outcomes": outcomes, "policy": {"name": kind().name}}
    if kind.seeks_targets:
        assert Problem.model_validate(asked).policy == kind()
        return
    with pytest.raises(ValidationError) as refused:
        Problem.model_validate(asked)
    said = str(refused.value)
    assert f"objective 'tec' is to match 2 ppm/K, and policy '{kind().name}' takes no target" in said
    able = said.split("these do: ")[1].split(" [", maxsplit=1)[0].split(", ")
    assert able == list(policies_for(1, targets=True))
    assert "auto" in able
    assert kind().name not in able


def test_of_the_policies_for_limits_those_are_named_that_heed_them():
    assert set(policies_for(1, targets=True, outcomes=True)) < set(policies_for(1, targets=True))
    assert "thompson_sampling" not in policies_for(1, targets=True, outcomes=True)


@pytest.mark.parametrize("target", [1.1e12, -1e300])
def test_a_target_beyond_all_reason_is_refused(target):
    with pytest.raises(ValidationError, match="1000000000000"):
        Objective.model_validate(TEC | {"direction": "match", "target": target})


def test_of_two_values_beside_a_target_the_less_is_the_best_in_any_order():
    sought = Objective.model_validate(TEC | {"direction": "match", "target": 2.0, "tolerance": 3.0})
    assert sought.best((3.0, 1.0)) == sought.best((1.0, 3.0)) == 1.0
