"""Compositions for wanted values: what is drawn by whom, what is expected, and what is said of each."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import norm

from models.catalog import ExpectedImprovement, HypervolumeImprovement
from models.composition import ElementBounds, GroupRule, SearchSpace
from models.designs import Known, design
from models.film import FilmGeometry
from models.objective import Objective, OutcomeConstraint
from models.structures import film_structures, legal_film
from models.wanted import Constraints, Target, Wanted, narrowed
from tests.oracles import film_lab

SPACE = SearchSpace(elements=("A", "B", "C"), bounds=(ElementBounds(element="A", upper=0.6, absent_or_at_least=0.05),))
LIMIT = (OutcomeConstraint(property="echo", unit="V", upper=5.0),)


def known_of(policy=None, **more):
    problem = film_lab.problem_of(SPACE, FilmGeometry(devices=5), policy or ExpectedImprovement(), **more)
    drawn = film_structures(SPACE, problem.film).draw(4, np.random.default_rng(3))
    films = [legal_film(structure, w, SPACE, problem.film) for structure, ws in drawn for w in ws]
    data = film_lab.measured(problem, films)
    return Known(problem, film_lab.bundle(problem, data), None, data)


@pytest.fixture(scope="module")
def known():
    return known_of()


def test_every_composition_obeys_all_rules_and_differs_from_the_others(known):
    wanted = Wanted(count=12, constraints=Constraints(bounds=(ElementBounds(element="B", lower=0.2, upper=0.5),)))
    found = design(known, wanted, seed=1).compositions
    X = np.array([[d.composition[e] for e in "ABC"] for d in found])
    space = narrowed(SPACE, wanted.constraints)
    assert [v for x in X for v in space.violations(x)] == []
    assert (np.abs(X[:, None] - X).sum(-1)[np.triu_indices(len(X), 1)] > 0.01).all()
    assert all(d.verdicts[0].name == "rules" and d.verdicts[0].passed for d in found)


def test_the_same_seed_gives_the_same_answer_and_another_one_another(known):
    one, again, other = (design(known, Wanted(count=5), seed=s) for s in (1, 1, 2))
    assert one == again
    assert one != other


def test_predictions_and_novelty_are_those_of_the_model_and_the_readings(known):
    found = design(known, Wanted(count=5), seed=1).compositions
    X = np.array([[d.composition[e] for e in "ABC"] for d in found])
    mean, sd = known.bundle.predict(known.problem, X)
    np.testing.assert_allclose([d.predicted["signal"].mean for d in found], mean[:, 0])
    np.testing.assert_allclose([d.predicted["signal"].sd for d in found], sd[:, 0])
    nearest = np.abs(X[:, None] - known.dataset.X).sum(-1).min(1)
    np.testing.assert_allclose([d.novelty for d in found], nearest, atol=1e-12)
    for d in found:
        (novelty,) = [v for v in d.verdicts if v.name == "novelty"]
        assert novelty.passed == (d.novelty > 0.2)


def test_without_a_target_the_best_come_first(known):
    means = [d.predicted["signal"].mean for d in design(known, Wanted(count=8), seed=3).compositions]
    assert means == sorted(means, reverse=True)


def test_the_likeliest_to_meet_a_target_come_first_with_their_chance(known):
    wanted = Wanted(count=6, targets={"signal": Target(value=7.0, tolerance=0.5)})
    found = design(known, wanted, seed=2).compositions
    told = [d.predicted["signal"] for d in found]
    chances = [float(norm.cdf(7.5, e.mean, e.sd) - norm.cdf(6.5, e.mean, e.sd)) for e in told]
    assert chances == sorted(chances, reverse=True)
    for d, chance in zip(found, chances, strict=True):
        (verdict,) = [v for v in d.verdicts if v.name == "signal"]
        assert f"{chance:.2f}" in verdict.reason
        assert verdict.passed == (chance >= 0.5)


def test_a_target_without_tolerance_is_nearest_first_among_the_sure(known):
    found = design(known, Wanted(count=6, targets={"signal": Target(value=7.0)}), seed=2).compositions
    off = [np.hypot(d.predicted["signal"].mean - 7.0, d.predicted["signal"].sd) for d in found]
    assert off == sorted(off)


def test_limits_of_an_outcome_are_judged():
    found = design(known_of(outcomes=LIMIT), Wanted(count=5), seed=1).compositions
    for d in found:
        e = d.predicted["echo"]
        (verdict,) = [v for v in d.verdicts if v.name == "echo"]
        assert verdict.passed == (norm.cdf(5.0, e.mean, e.sd) >= 0.5)


def test_several_objectives_are_predicted_each():
    found = design(known_of(HypervolumeImprovement()), Wanted(count=4), seed=1).compositions
    assert all(set(d.predicted) == {"signal", "echo"} for d in found)


def test_before_any_reading_draws_are_even_and_nothing_is_expected(known):
    nothing = Known(known.problem, None, None, known.dataset.take(np.array([], dtype=int)))
    answer = design(nothing, Wanted(count=5), seed=1)
    assert answer.drawn_by == "uniform"
    assert all(d.predicted is None and d.novelty is None for d in answer.compositions)


def test_without_a_model_draws_are_for_the_objectives_own_targets(known):
    """What was read near the target is jittered, as if the question had named it; one that it names goes first."""
    signal = Objective(property="signal", unit="V", direction="match", target=2.0, tolerance=0.5)
    problem = known.problem.model_copy(update={"objectives": (signal,)})
    blind = Known(problem, None, None, known.dataset)
    own = design(blind, Wanted(count=8), seed=4)
    assert own.drawn_by == "jitter"
    for value in (2.0, 9.0):
        asked = design(blind, Wanted(count=8, targets={"signal": Target(value=value)}), seed=4)
        assert (asked.compositions == own.compositions) is (value == 2.0)


def test_bounds_of_both_hold_and_contradictions_are_refused():
    both = narrowed(SPACE, Constraints(bounds=(ElementBounds(element="A", lower=0.1, absent_or_at_least=0.02),)))
    assert both.bounds == (ElementBounds(element="A", lower=0.1, upper=0.6, absent_or_at_least=0.05),)
    for rules in (
        Constraints(bounds=(ElementBounds(element="A", lower=0.7),)),
        Constraints(bounds=(ElementBounds(element="D", lower=0.1),)),
        Constraints(groups=(GroupRule(name="none", elements=("A", "B", "C"), upper=0.5),)),
    ):
        with pytest.raises(ValueError, match=r"above upper|rules name|no composition"):
            narrowed(SPACE, rules)


@pytest.mark.parametrize(
    "said",
    [
        {"count": 501},
        {"targets": {"signal": {"value": float("nan")}}},
        {"targets": {"signal": {"value": 1.0, "tolerance": 0.0}}},
        {"constraints": {"bounds": [{"element": "A"}, {"element": "A"}]}},
        {"wishes": 1},
    ],
)
def test_what_cannot_be_meant_is_refused(said):
    with pytest.raises(ValidationError):
        Wanted.model_validate(said)
