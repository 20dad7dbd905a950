"""What every policy of the catalogue does with a target: it seeks it as it seeks a direction, or is refused at once."""

from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from models.catalog import PolicyChoice
from models.dataset import Dataset
from models.film import film_violations
from models.objective import Objective
from models.problem import Problem
from models.propose import propose
from models.registry import policy_for
from tests.contracts import test_policies
from tests.contracts.test_policies import GEOMETRY, SPACE, ask, equal_values, mostly_dead, points, repeated, two_points
from tests.oracles import film_lab

KINDS = [test_policies.small(kind) for kind in get_args(get_args(PolicyChoice)[0])]
SEEKING = [choice for choice in KINDS if choice.seeks_targets]
ABOVE = 50.0
"""Far above every reading."""


def problem_of(policy, target=5.0, tolerance=0.5):
    """The signal is to match a target, and its echo to be large where the policy serves no less than two."""
    signal = Objective(property="signal", unit="V", direction="match", target=target, tolerance=tolerance)
    sought = (signal,) if policy.objectives[0] == 1 else (signal, film_lab.ECHO)
    return Problem(space=SPACE, objectives=sought, film=GEOMETRY, policy=policy)


@pytest.fixture(scope="module", params=SEEKING, ids=lambda choice: choice.name)
def problem(request):
    return problem_of(request.param)


@pytest.fixture(scope="module")
def data(problem):
    return test_policies.measured(problem)


@pytest.mark.parametrize("policy", [k for k in KINDS if not k.seeks_targets], ids=lambda choice: choice.name)
def test_what_cannot_seek_a_target_is_refused_when_the_campaign_is_made(policy):
    with pytest.raises(ValidationError, match=f"policy '{policy.name}' takes no target"):
        problem_of(policy)


def test_films_obey_every_rule_and_do_not_depend_on_the_order_of_readings(problem, data):
    answers = ask(problem, data, count=2)
    assert [v for a in answers for v in film_violations(a.film, SPACE, GEOMETRY)] == []
    shuffled = data.take(np.random.default_rng(0).permutation(len(data)))
    assert np.array_equal(points(answers), points(ask(problem, shuffled, count=2)))
    assert (answers[0].gain is None) is not policy_for(problem.policy).needs_model
    assert np.isfinite(answers[0].mean).all()


def test_another_target_asks_for_another_film_unless_the_policy_seeks_no_value(problem, data):
    other = problem_of(problem.policy, target=2.0, tolerance=0.0)
    blind = problem.policy.name in {"mapping", "space_filling", "random"}
    assert np.array_equal(points(ask(problem, data)), points(ask(other, data))) is blind


@pytest.mark.parametrize(
    ("edge", "target", "tolerance"),
    [(two_points, ABOVE, 0.0), (equal_values, 3.0, 0.0), (repeated, 5.0, 100.0), (mostly_dead, ABOVE, 0.0)],
    ids=["two points", "all equal, and at the target", "repeated, and all within", "mostly dead"],
)
def test_awkward_readings_are_no_obstacle(problem, data, edge, target, tolerance):
    asked = problem_of(problem.policy, target, tolerance)
    (answer,) = ask(asked, edge(data))
    assert film_violations(answer.film, SPACE, GEOMETRY) == []
    assert answer.gain is None or 0.0 <= answer.gain < np.inf


def test_without_any_reading_a_film_is_proposed(problem):
    (answer,) = propose(problem, None, Dataset.empty(7, len(problem.objectives)), pending=[], count=1, seed=0)
    assert film_violations(answer.film, SPACE, GEOMETRY) == []
    assert answer.source != "model"
