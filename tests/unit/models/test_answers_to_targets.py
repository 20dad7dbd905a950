"""What is told of a campaign with a target: the composition nearest to it, its chances, trade-offs, designs, maps."""

import numpy as np
import pytest
from scipy.stats import norm

from models.catalog import ExpectedImprovement, HypervolumeImprovement
from models.designs import Known, design
from models.propose import propose
from models.recommendation import DRAWS, recommend
from models.surrogates.nearness import nearness
from models.trade_offs import trade_offs
from models.wanted import Wanted
from tests.oracles import film_lab, listed_lab, targets, trade_off_lab
from tests.oracles.hypervolume import hypervolume

EI = ExpectedImprovement(mc_samples=32)
TARGET, TOLERANCE = 8.0, 0.4


def matched(problem, k=0, target=TARGET, tolerance=TOLERANCE, **more):
    """The same with a target for objective `k`."""
    told = problem.objectives[k].model_dump() | {"direction": "match", "target": target, "tolerance": tolerance, **more}
    others = problem.model_dump()["objectives"]
    return type(problem).model_validate(
        problem.model_dump() | {"objectives": [*others[:k], told, *others[k + 1 :]]},
    )


@pytest.mark.parametrize(("tolerance", "limited"), [(0.0, False), (0.0, True), (1.5, False)])
def test_the_probability_of_being_best_is_that_of_plain_sampling(tolerance, limited):
    """Within the tolerance all are equally good: those of a draw share it."""
    problem = matched(listed_lab.problem(1, limited=limited, policy=EI), tolerance=tolerance)
    data = listed_lab.measured(problem)
    bundle = film_lab.bundle(problem, data)
    answer = recommend(problem, bundle, data, seed=3)
    values = listed_lab.drawn(bundle.surrogate, listed_lab.POSSIBLE, draws=20_000, seed=1)
    far = np.maximum(np.abs(values[..., 0] - TARGET) - tolerance, 0.0)
    far[values[..., 1] > 0.8 if limited else np.zeros(far.shape, bool)] = np.inf
    best = (far == far.min(1, keepdims=True)) & np.isfinite(far)
    expected = np.nan_to_num(best / best.sum(1, keepdims=True).clip(1)).mean(0)
    told = {tuple(c.composition.values()): c.probability_best for c in (answer, *answer.rivals)}
    assert len(told) == 6
    for x, p in zip(listed_lab.POSSIBLE.tolist(), expected, strict=True):
        if tuple(x) in told:
            assert told[tuple(x)] == pytest.approx(p, abs=4.0 * np.sqrt(p * (1 - p) / DRAWS) + 5e-3)


def test_it_is_the_composition_that_is_expected_nearest_and_says_how_near():
    problem = matched(trade_off_lab.problem(1, policy=EI))
    data = trade_off_lab.measured(problem)
    bundle = film_lab.bundle(problem, data)
    answer = recommend(problem, bundle, data, seed=0)
    assert (answer.target, answer.tolerance) == (TARGET, TOLERANCE)
    assert abs(answer.mean - TARGET) < TOLERANCE
    within = np.diff(norm.cdf([TARGET - TOLERANCE, TARGET + TOLERANCE], answer.mean, answer.sd))[0]
    assert answer.chance_within_tolerance == pytest.approx(within)

    def off(mean, sd):
        kinks = [TARGET - TOLERANCE, TARGET + TOLERANCE]
        return -targets.mean_of(lambda v: targets.utility(v, TARGET, TOLERANCE), mean, sd, kinks)

    everywhere = np.vstack([problem.space.sample(300, seed=5), data.X])
    mean, sd = bundle.predict(problem, everywhere)
    assert off(answer.mean, answer.sd) <= min(map(off, mean[:, 0].tolist(), sd[:, 0].tolist())) + 1e-3


def test_without_a_tolerance_there_is_no_chance_of_keeping_it_and_without_a_target_neither():
    problem = trade_off_lab.problem(1, policy=EI)
    data = trade_off_lab.measured(problem)
    exact = recommend(matched(problem, tolerance=0.0), film_lab.bundle(problem, data), data, seed=0)
    assert (exact.target, exact.tolerance, exact.chance_within_tolerance) == (TARGET, 0.0, None)
    plain = recommend(problem, film_lab.bundle(problem, data), data, seed=0)
    assert (plain.target, plain.tolerance, plain.chance_within_tolerance) == (None, None, None)
    old = plain.model_dump(exclude={"target", "tolerance", "chance_within_tolerance"})
    assert type(plain).model_validate(old) == plain


def test_the_map_marks_the_composition_nearest_to_the_target():
    problem = matched(trade_off_lab.problem(1, policy=EI))
    data = trade_off_lab.measured(problem)
    drawn = film_lab.bundle(problem, data).posterior_map(problem, max_points=100)
    assert abs(drawn.best_mean - TARGET) < TOLERANCE
    assert abs(drawn.best_mean - TARGET) <= np.abs(np.array(drawn.mean) - TARGET).min() + TOLERANCE
    assert max(drawn.mean) > TARGET + TOLERANCE


@pytest.mark.parametrize("sets", [1, 3])
def test_the_slope_of_nearness_is_a_difference(sets):
    problem = matched(trade_off_lab.problem(1, policy=EI))
    data = trade_off_lab.measured(problem)
    latents = film_lab.surrogate(problem, data).latents() * sets
    x, step = np.array([0.3, 0.5, 0.2]), 1e-6
    value, gradient = nearness(problem.objectives[0], latents, np.empty(0), x)
    for k in range(3):
        shift = step * np.eye(3)[k]
        up, down = (nearness(problem.objectives[0], latents, np.empty(0), x + way * shift)[0] for way in (1, -1))
        assert gradient[k] == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-5)
    mean, sd = film_lab.surrogate(problem, data).predict(x[None])
    kinks = [TARGET - TOLERANCE, TARGET + TOLERANCE]
    near = targets.mean_of(lambda v: targets.utility(v, TARGET, TOLERANCE), mean[0, 0], sd[0, 0], kinks)
    assert latents[0].scale * value == pytest.approx(near, rel=1e-6)


def test_the_slope_of_nearness_is_finite_at_a_reading_that_is_exact():
    problem = matched(trade_off_lab.problem(1, policy=EI))
    data = trade_off_lab.measured(problem)
    latents = film_lab.surrogate(problem, data, noise=1e-12, film=0.0).latents()
    value, gradient = nearness(problem.objectives[0], latents, np.empty(0), data.X[0])
    assert np.isfinite([value, *gradient]).all()


def test_chances_and_volumes_of_trade_offs_are_those_of_plain_sampling(monkeypatch):
    monkeypatch.setattr("models.trade_offs.DRAWS", 2048)
    problem = matched(listed_lab.problem(2), 1, target=0.01, tolerance=0.003)
    data = listed_lab.measured(problem)
    bundle = film_lab.bundle(problem, data)
    answer = trade_offs(problem, bundle, data, seed=3)
    values = listed_lab.drawn(bundle.surrogate, listed_lab.POSSIBLE, draws=10_000, seed=1)
    values[..., 1] = -np.maximum(np.abs(values[..., 1] - 0.01) - 0.003, 0.0)
    as_good, better = (op(values[:, None], values[:, :, None]) for op in (np.greater_equal, np.greater))
    expected = (~(as_good.all(-1) & better.any(-1)).any(-1)).mean(0)
    told = {tuple(p.composition.values()): p.probability_on_front for p in answer.points}
    assert told
    for x, p in zip(listed_lab.POSSIBLE.tolist(), expected, strict=True):
        if tuple(x) in told:
            assert told[tuple(x)] == pytest.approx(p, abs=4.0 * np.sqrt(p * (1 - p) / 2048) + 5e-3)
    of, near = answer.reference
    assert near.value > 0.013
    reference = np.array([of.value, 0.013 - near.value])
    drawn = hypervolume(np.maximum(values - reference, 0.0))
    assert answer.hypervolume_believed.mean == pytest.approx(drawn.mean(), abs=4.0 * drawn.std() / np.sqrt(2048))


def test_a_reference_beside_a_target_is_how_far_off_still_counts():
    problem = matched(listed_lab.problem(2), 1, target=0.01, tolerance=0.001, reference=0.005)
    data = listed_lab.measured(problem)
    answer = trade_offs(problem, film_lab.bundle(problem, data), data, seed=3)
    assert answer.reference[1].value == pytest.approx(0.015)
    assert not answer.reference[1].inferred


def test_a_film_for_trade_offs_says_from_where_a_target_counts():
    policy = HypervolumeImprovement(mc_samples=32, raw_films=48, restarts=1)
    problem = matched(trade_off_lab.problem(2, policy=policy), 1, target=0.01, tolerance=0.001, reference=0.005)
    data = trade_off_lab.measured(problem)
    (answer,) = propose(problem, film_lab.bundle(problem, data), data, pending=[], count=1, seed=0)
    assert "p1 within 0.005 V of 0.01 V" in answer.reason
    assert answer.gain > 0.0


def test_a_design_without_a_wish_is_for_the_target_of_the_campaign():
    problem = matched(trade_off_lab.problem(1, policy=EI))
    data = trade_off_lab.measured(problem)
    bundle = film_lab.bundle(problem, data)
    answer = design(Known(problem, bundle, None, data), Wanted(count=5), seed=0)
    for found in answer.compositions:
        verdict = next(v for v in found.verdicts if v.name == "p0")
        assert verdict.reason.startswith(f"within {TARGET:g} ± {TOLERANCE:g} V with a chance of ")
    off = [abs(found.predicted["p0"].mean - TARGET) for found in answer.compositions]
    everywhere = bundle.predict(problem, problem.space.sample(200, seed=3)).mean[:, 0]
    assert np.median(off) < np.median(np.abs(everywhere - TARGET))
