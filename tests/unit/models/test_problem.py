import numpy as np
import pytest
from pydantic import ValidationError

from models.catalog import ExpectedImprovement, RandomFilms, SpaceFilling
from models.composition import ElementBounds, GroupRule, SearchSpace
from models.film import FilmGeometry
from models.objective import Objective, OutcomeConstraint
from models.problem import Problem

SIGNAL = (Objective(property="signal", unit="V"),)


def test_json_carries_a_problem_unchanged():
    problem = Problem(
        space=SearchSpace(elements=("A", "B"), groups=(GroupRule(name="g", elements=("A",), upper=0.9),)),
        objectives=SIGNAL,
        film=FilmGeometry(devices=4, positions=(0.0, 0.1, 0.5, 1.0), grading="pair", span_min=0.1),
        policy=SpaceFilling(raw_films=64),
        seed=7,
    )
    assert Problem.model_validate_json(problem.model_dump_json()) == problem


@pytest.mark.parametrize("policy", [ExpectedImprovement(), SpaceFilling(), RandomFilms()])
def test_a_policy_is_chosen_by_name(policy):
    chosen = {
        "space": {"elements": ["A", "B"]},
        "objectives": [SIGNAL[0].model_dump()],
        "policy": {"name": policy.name},
    }
    assert Problem.model_validate(chosen).policy == policy


@pytest.mark.parametrize("policy", [{"name": "unheard_of"}, {"name": "random", "restarts": 3}, {}])
def test_an_unknown_policy_or_option_is_refused(policy):
    with pytest.raises(ValidationError):
        Problem.model_validate(
            {"space": {"elements": ["A", "B"]}, "objectives": [SIGNAL[0].model_dump()], "policy": policy}
        )


def test_a_span_that_fits_nowhere_is_refused():
    space = SearchSpace(elements=("A", "B"), bounds=(ElementBounds(element="A", lower=0.4, upper=0.5),))
    with pytest.raises(ValidationError, match="no free film with span"):
        Problem(space=space, objectives=SIGNAL, film=FilmGeometry(span_min=0.2))


def test_minimised_readings_change_sign_and_back():
    objective = Objective(property="loss", unit="W", direction="minimise")
    assert objective.to_maximised(objective.to_maximised(3.0)) == 3.0
    assert objective.to_maximised(3.0) == -3.0


def test_a_stored_problem_of_one_objective_has_no_outcomes():
    stored = {"space": {"elements": ["A", "B"]}, "objectives": [{"property": "signal", "unit": "V"}]}
    problem = Problem.model_validate(stored)
    assert problem.outcomes == ()
    assert problem.objectives[0].reference is None


def test_properties_are_objectives_then_outcomes():
    limited = OutcomeConstraint(property="resistivity", unit="ohm m", upper=1e-6)
    problem = Problem(space=SearchSpace(elements=("A", "B")), objectives=SIGNAL, outcomes=(limited,))
    assert [p.property for p in problem.properties] == ["signal", "resistivity"]


def test_a_property_is_not_sought_and_limited_at_once():
    limited = OutcomeConstraint(property="signal", unit="V", lower=0.0)
    with pytest.raises(ValidationError, match="signal is named more often"):
        Problem(space=SearchSpace(elements=("A", "B")), objectives=SIGNAL, outcomes=(limited,))


def test_more_than_four_objectives_are_refused():
    five = tuple(Objective(property=f"p{k}", unit="V") for k in range(5))
    with pytest.raises(ValidationError, match="at most 4"):
        Problem(space=SearchSpace(elements=("A", "B")), objectives=five)


@pytest.mark.parametrize(("limits", "reason"), [({}, "neither"), ({"lower": 2.0, "upper": 1.0}, "is not below")])
def test_an_outcome_needs_limits_that_can_be_met(limits, reason):
    with pytest.raises(ValidationError, match=reason):
        OutcomeConstraint(property="resistivity", unit="ohm m", **limits)


def test_an_outcome_is_met_between_its_limits():
    limited = OutcomeConstraint(property="resistivity", unit="ohm m", lower=0.0, upper=1.0)
    met = limited.is_met(np.array([-0.1, 0.0, 0.5, 1.0, 1.1, np.nan]))
    assert met.tolist() == [False, True, True, True, False, False]


@pytest.mark.parametrize(
    ("policy", "objectives", "limited", "reason"),
    [
        ("expected_improvement", 2, False, "serves 1 objectives, the problem has 2"),
        ("hypervolume_improvement", 1, False, "serves 2 to 4 objectives, the problem has 1"),
        ("knowledge_gradient", 1, True, "takes no heed of outcomes"),
    ],
)
def test_a_policy_is_not_asked_for_more_than_it_can_serve(policy, objectives, limited, reason):
    asked = {
        "space": {"elements": ["A", "B"]},
        "objectives": [{"property": f"p{k}", "unit": "V"} for k in range(objectives)],
        "outcomes": [{"property": "resistivity", "unit": "ohm m", "upper": 1.0}] if limited else [],
        "policy": {"name": policy},
    }
    with pytest.raises(ValidationError, match=reason):
        Problem.model_validate(asked)
