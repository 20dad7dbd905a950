from dataclasses import replace

import numpy as np
import pytest

from models.catalog import Auto, CostModel, ExpectedImprovement, HypervolumeImprovement, KnowledgeGradient
from models.composition import SearchSpace
from models.film import FilmGeometry
from models.objective import OutcomeConstraint
from models.policies.auto import LAST, pick
from models.problem import Problem
from models.propose import propose
from tests.oracles import film_lab
from tests.oracles.small_campaign import PROBLEM, READ, question

OPTIONS = Auto(raw_films=64, restarts=1, cost=CostModel(target=0.5))
LIMIT = (OutcomeConstraint(property="echo", unit="V", upper=5.0),)


def asked(problem=PROBLEM, left=None):
    data = film_lab.measured(problem, READ)
    return replace(question(film_lab.surrogate(problem, data), problem=problem, data=data), left=left)


def test_it_is_what_a_problem_does_that_names_no_policy():
    assert Problem(space=PROBLEM.space, objectives=PROBLEM.objectives).policy == Auto()


@pytest.mark.parametrize("left", [None, LAST + 1, 100])
def test_while_more_films_will_come_they_are_chosen_by_expected_improvement(left):
    picked = pick(asked(left=left), OPTIONS)
    assert isinstance(picked.choice, ExpectedImprovement)
    assert "more films will come" in picked.why


def test_the_last_film_goes_to_knowing_the_best():
    picked = pick(asked(left=1), OPTIONS)
    assert isinstance(picked.choice, KnowledgeGradient)
    assert "the last film of the budget" in picked.why


def test_several_objectives_are_sought_by_hypervolume_and_limits_heeded_by_expected_improvement():
    two = Problem(space=PROBLEM.space, objectives=(*film_lab.SIGNAL, film_lab.ECHO), film=PROBLEM.film)
    limited = Problem(space=PROBLEM.space, objectives=film_lab.SIGNAL, outcomes=LIMIT, film=PROBLEM.film)
    for left in (None, 1):
        assert isinstance(pick(asked(two, left), OPTIONS).choice, HypervolumeImprovement)
        assert isinstance(pick(asked(limited, left), OPTIONS).choice, ExpectedImprovement)


@pytest.mark.parametrize("left", [None, 1])
def test_the_options_that_all_searches_share_are_passed_on(left):
    choice = pick(asked(left=left), OPTIONS).choice
    assert (choice.raw_films, choice.restarts, choice.cost) == (64, 1, OPTIONS.cost)


def campaign(policy, left=None, count=1):
    problem = film_lab.problem_of(SearchSpace(elements=("A", "B", "C")), FilmGeometry(devices=5), policy)
    data = film_lab.measured(problem, READ)
    return propose(problem, film_lab.bundle(problem, data), data, pending=[], count=count, seed=2, left=left)


def test_the_answer_is_that_of_the_policy_taken_under_its_name_and_says_why():
    (auto,) = campaign(Auto(raw_films=64, restarts=1))
    (named,) = campaign(ExpectedImprovement(raw_films=64, restarts=1))
    assert np.array_equal(auto.film.points(), named.film.points())
    assert (auto.policy, auto.gain) == ("expected_improvement", named.gain)
    assert auto.reason == f"{named.reason}; expected_improvement was taken because {pick(asked(), Auto()).why}"


def test_of_films_proposed_together_only_the_last_of_the_budget_is_the_last():
    answers = campaign(Auto(raw_films=64, restarts=1), left=LAST + 1, count=2)
    assert [a.policy for a in answers] == ["expected_improvement", "knowledge_gradient"]
