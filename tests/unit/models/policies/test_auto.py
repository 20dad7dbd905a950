from dataclasses import replace

import numpy as np
import pytest

from models.catalog import Auto, CostModel, ExpectedImprovement, HypervolumeImprovement, KnowledgeGradient
from models.composition import SearchSpace
from models.film import FilmGeometry
from models.objective import OutcomeConstraint
from models.policies.auto import NOISY, film_error, pick, spread_of_property
from models.policies.pool import even_pool
from models.problem import Problem
from models.propose import propose
from tests.oracles import film_lab
from tests.oracles.small_campaign import PROBLEM, READ, question

OPTIONS = Auto(raw_films=64, restarts=1, cost=CostModel(target=0.5))


def asked(problem=PROBLEM, **beliefs):
    data = film_lab.measured(problem, READ)
    return question(film_lab.surrogate(problem, data, **beliefs), problem=problem, data=data)


def test_it_is_what_a_problem_does_that_names_no_policy():
    assert Problem(space=PROBLEM.space, objectives=PROBLEM.objectives).policy == Auto()


def test_quiet_films_are_chosen_by_expected_improvement_and_noisy_ones_by_knowledge_gradient():
    quiet, noisy = pick(asked(noise=1e-4, film=1e-4), OPTIONS), pick(asked(noise=1.0, film=1.0), OPTIONS)
    assert isinstance(quiet.choice, ExpectedImprovement)
    assert isinstance(noisy.choice, KnowledgeGradient)
    assert "errs by" in quiet.why
    assert "errs by" in noisy.why


@pytest.mark.parametrize("part", ["noise", "film"])
def test_noise_and_offset_both_count_and_the_limit_is_between(part):
    """As a share of the property's own spread, one reading errs by a little less and a little more than the limit."""
    other = {"noise": "film", "film": "noise"}[part]
    chosen = {}
    for share in np.geomspace(0.1, 10.0, 25):
        ask = asked(**{part: share**2, other: 1e-6})
        chosen[film_error(ask) / spread_of_property(ask)] = pick(ask, OPTIONS).choice.name
    below = {name for ratio, name in chosen.items() if ratio <= NOISY}
    above = {name for ratio, name in chosen.items() if ratio > NOISY}
    assert (below, above) == ({"expected_improvement"}, {"knowledge_gradient"})


def test_one_reading_errs_by_its_noise_and_its_films_offset_in_physical_units():
    ask = asked(noise=0.09, film=0.16)
    assert film_error(ask) == pytest.approx(0.5 * ask.model().latents()[0].scale)


def test_the_spread_of_the_property_is_that_of_draws_from_the_posterior():
    """Mean square about the region's mean value, over plain joint draws at the same points."""
    ask = asked()
    points = even_pool(ask, 256)
    seen = ask.model().predict(points)
    expected = np.sqrt(np.mean(seen.sd**2) + seen.mean.var())
    assert spread_of_property(ask) == pytest.approx(expected)
    assert 0.5 * seen.mean.std() < spread_of_property(ask) < 3.0 * (seen.mean.std() + seen.sd.max())


def test_several_objectives_are_sought_by_hypervolume_and_limits_heeded_by_expected_improvement():
    two = Problem(space=PROBLEM.space, objectives=(*film_lab.SIGNAL, film_lab.ECHO), film=PROBLEM.film)
    limited = Problem(
        space=PROBLEM.space,
        objectives=film_lab.SIGNAL,
        outcomes=(OutcomeConstraint(property="echo", unit="V", upper=5.0),),
        film=PROBLEM.film,
    )
    assert isinstance(pick(replace(asked(), problem=two), OPTIONS).choice, HypervolumeImprovement)
    noisy = asked(noise=1.0, film=1.0)
    assert isinstance(pick(replace(noisy, problem=limited), OPTIONS).choice, ExpectedImprovement)


@pytest.mark.parametrize("noise", [1e-4, 1.0])
def test_the_options_that_all_searches_share_are_passed_on(noise):
    choice = pick(asked(noise=noise), OPTIONS).choice
    assert (choice.raw_films, choice.restarts, choice.cost) == (64, 1, OPTIONS.cost)


def test_the_answer_is_that_of_the_policy_taken_under_its_name_and_says_why():
    space, geometry = SearchSpace(elements=("A", "B", "C")), FilmGeometry(devices=5)
    films = {}
    for policy in (Auto(raw_films=64, restarts=1), ExpectedImprovement(raw_films=64, restarts=1)):
        problem = film_lab.problem_of(space, geometry, policy)
        data = film_lab.measured(problem, READ)
        (films[policy.name],) = propose(problem, film_lab.bundle(problem, data), data, pending=[], count=1, seed=2)
    auto, named = films["auto"], films["expected_improvement"]
    assert np.array_equal(auto.film.points(), named.film.points())
    assert (auto.policy, auto.gain) == (named.policy, named.gain)
    assert auto.reason.startswith(f"{named.reason}; expected_improvement was taken because one reading of a film errs")
