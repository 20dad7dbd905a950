"""Decisions that rest on what was read elsewhere: from the first film on, and never mistaking it for the campaign's."""

from dataclasses import replace

import numpy as np
import pytest

from models.dataset import Dataset, joined
from models.film import FilmGeometry
from models.objective import Objective, OutcomeConstraint
from models.policies.base import asked_of
from models.policies.cost import film_cost
from models.policies.expected_improvement import reference_points
from models.problem import Problem
from models.propose import propose
from models.recommendation import recommend
from models.trade_offs import trade_offs
from models.train import train
from tests.oracles import small_lab

MODEL_POLICIES = (
    "auto",
    "expected_improvement",
    "upper_confidence_bound",
    "thompson_sampling",
    "knowledge_gradient",
    "mapping",
    "mean_expected_improvement",
)
EMPTY = Dataset.empty(4)


def problem(policy="auto"):
    quick = {} if policy == "space_filling" else {"raw_films": 32, "restarts": 1}
    return small_lab.problem().model_copy(
        update={
            "film": FilmGeometry(devices=5),
            "policy": Problem.model_validate(
                small_lab.problem().model_dump() | {"policy": {"name": policy, **quick}}
            ).policy,
        }
    )


def elsewhere(shift=4.0, name="prd_1"):
    there = small_lab.dataset(6, seed=11, offset=0.1)
    return replace(there, Y=there.Y + shift, sources=np.full(len(there), name))


@pytest.mark.parametrize("policy", MODEL_POLICIES)
def test_every_policy_proposes_by_the_model_before_the_first_own_film(policy):
    asked = problem(policy)
    bundle = train(asked, elsewhere(), seed=0)
    (first,) = propose(asked, bundle, elsewhere(), pending=(), count=1, seed=1)
    assert first.source == "model"
    assert np.isfinite(first.gain)


def test_the_second_film_asks_what_prior_data_are_worth_unless_they_are_trusted():
    asked = problem()
    bundle = train(asked, elsewhere(), seed=0)
    first, second = propose(asked, bundle, elsewhere(), pending=(), count=2, seed=1)
    assert (first.source, second.source) == ("model", "space_filling")
    assert "before prior data are trusted" in second.reason
    trusting = asked.model_copy(update={"initial_films": 1})
    again, other = propose(trusting, bundle, elsewhere(), pending=(), count=2, seed=1)
    assert (again.source, other.source) == ("model", "model")
    np.testing.assert_array_equal(again.film.points(), first.film.points())
    assert not np.array_equal(other.film.points(), first.film.points())


def test_the_first_film_goes_where_the_others_found_the_best():
    asked = problem()
    (film,) = propose(asked, train(asked, elsewhere(), seed=0), elsewhere(), pending=(), count=1, seed=1)
    probe = small_lab.truth(small_lab.probe(2000))
    assert small_lab.truth(film.film.points()).max() > np.quantile(probe, 0.97)
    assert "the worst of 42 compositions of prior data" in film.reason


def test_without_prior_data_of_every_objective_the_first_films_fill_space():
    two = Problem(
        space=small_lab.problem().space,
        objectives=(Objective(property="signal", unit="V"), Objective(property="loss", unit="W", direction="minimise")),
        film=FilmGeometry(devices=5),
    )
    there = elsewhere()
    half = replace(
        there,
        Y=np.hstack([there.Y, np.full_like(there.Y, np.nan)]),
        Yvar=np.hstack([there.Yvar] * 2),
        replicates=np.empty((0, 0)),
        censored=np.empty((0, 0), dtype=np.int8),
    )
    (film,) = propose(two, None, half, pending=(), count=1, seed=1)
    assert film.source == "space_filling"
    (film,) = propose(problem(), None, there, pending=(), count=1, seed=1)
    assert film.source == "space_filling"


def test_with_the_initial_films_made_the_model_decides_with_or_without_prior_data():
    asked, own = problem(), small_lab.dataset(2, devices=5)
    data = joined([own, elsewhere()])
    (film,) = propose(asked, train(asked, data, seed=0), data, pending=(), count=1, seed=1)
    assert film.source == "model"
    one = joined([own.take(own.films == "film-0"), elsewhere()])
    (film,) = propose(asked, train(asked, one, seed=0), one, pending=(), count=1, seed=1)
    assert film.source == "space_filling"


def test_what_is_to_be_beaten_was_read_on_own_films():
    asked, own = problem(), small_lab.dataset(2, devices=5)
    data = joined([own, elsewhere()])
    bundle = train(asked, data, seed=0)
    question = asked_of(asked, bundle.surrogate, data, 0)
    reference = {tuple(x) for x in reference_points(question)}
    assert reference == {tuple(x) for x in own.X}
    assert len(question.read()) == len(own)
    (film,) = propose(asked, bundle, data, pending=(), count=1, seed=1)
    assert f"the best of {len(own)} readings" in film.reason


def test_no_film_was_made_before_the_first():
    asked = problem()
    model = Problem.model_validate(
        asked.model_dump() | {"policy": {"name": "auto", "cost": {"film": 2.0, "target": 1.0}}}
    )
    question = asked_of(asked, train(asked, elsewhere(), seed=0).surrogate, elsewhere(), 0)
    assert question.rests_on_prior
    assert not len(film_cost(question, model.policy.cost).present)


def test_a_recommendation_is_of_f_and_not_of_the_level_elsewhere():
    asked, own = problem(), small_lab.dataset(4, devices=5, offset=0.05)
    data = joined([own, elsewhere(shift=100.0)])
    found = recommend(asked, train(asked, data, seed=0), data, seed=0)
    assert found.mean < 10.0
    best = small_lab.truth(small_lab.probe(5000)).max()
    x = np.array([[*found.composition.values(), (found.process["anneal"] - 300.0) / 600.0]])
    assert small_lab.truth(x)[0] > best - 1.0
    alone = recommend(asked, train(asked, elsewhere(), seed=0), elsewhere(), seed=0)
    assert np.isfinite(alone.mean)


def test_prior_data_outside_the_rules_still_serve():
    asked = problem()
    narrow = Problem.model_validate(
        asked.model_dump()
        | {"space": asked.space.model_dump() | {"bounds": [{"element": "Fe", "lower": 0.9, "upper": 1.0}]}}
    )
    there = elsewhere()
    there = there.take(there.X[:, 0] < 0.8)
    (film,) = propose(narrow, train(narrow, there, seed=0), there, pending=(), count=1, seed=1)
    assert film.source == "model"
    assert film.film.points()[:, 0].min() > 0.9 - 1e-9


def two_properties(outcome=False):
    loss = (
        {"outcomes": (OutcomeConstraint(property="loss", unit="W", upper=2.0),)}
        if outcome
        else {"objectives": (Objective(property="signal", unit="V"), Objective(property="loss", unit="W"))}
    )
    asked = Problem(
        **{
            "space": small_lab.problem().space,
            "objectives": (Objective(property="signal", unit="V"),),
            "film": FilmGeometry(devices=5),
            "policy": {"name": "auto", "raw_films": 64, "restarts": 2},
            **loss,
        }
    )
    there = elsewhere()
    Y = np.hstack([there.Y, 1.0 + 2.0 * there.X[:, 1:2]])
    plain = Dataset(there.X, Y, np.full_like(Y, np.nan), there.films, there.times, there.names)
    return asked, replace(plain, sources=there.sources)


@pytest.mark.parametrize("outcome", [False, True])
def test_several_properties_are_served_by_prior_data_alone(outcome):
    asked, there = two_properties(outcome)
    bundle = train(asked, there, seed=0)
    (film,) = propose(asked, bundle, there, pending=(), count=1, seed=1)
    assert film.source == "model"
    assert "prior data" in film.reason
    if not outcome:
        assert trade_offs(asked, bundle, there, seed=0).points
