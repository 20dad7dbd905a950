"""Films towards a target: the joint gain against quadrature and sampling, its slope, and where films are looked for."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.catalog import ExpectedImprovement, HypervolumeImprovement, InverseDesign, ThompsonSampling
from models.composition import SearchSpace
from models.film import Film, FilmGeometry
from models.objective import Objective
from models.policies.auto import pick
from models.policies.base import asked_of
from models.policies.expected_improvement import reference_points
from models.policies.film_acquisition import FilmImprovement
from models.policies.film_hypervolume import Aim, FilmHypervolume
from models.policies.film_starts import best_read
from models.policies.generated import wishes
from models.policies.pool import Pool, promising_pool
from models.policies.thompson_sampling import best_chances
from models.problem import Problem
from models.propose import propose
from models.tensors import to_array, to_tensor
from models.train import train
from models.utility import Nearer
from tests.oracles import film_lab, targets, trade_off_lab

S = np.linspace(0.0, 1.0, 5)
TARGET, TOLERANCE = 6.0, 0.3
QUICK = {"mc_samples": 32, "raw_films": 48, "restarts": 1}


def campaign(policy=None, *, target=TARGET, tolerance=TOLERANCE, **more):
    sought = Objective(property="signal", unit="V", direction="match", target=target, tolerance=tolerance)
    return Problem(
        space=SearchSpace(elements=("A", "B", "C")),
        objectives=(sought,),
        film=FilmGeometry(devices=5, span_min=0.05, span_max=0.5),
        policy=policy or ExpectedImprovement(**QUICK),
        **more,
    )


def straight(a, b):
    return Film(np.array(a), np.array(b), np.empty(0), S)


FILMS = [straight([0.8, 0.1, 0.1], [0.2, 0.5, 0.3]), straight([0.1, 0.3, 0.6], [0.3, 0.6, 0.1])]
NEW = straight([0.5, 0.1, 0.4], [0.1, 0.35, 0.55]).points()
DATA = film_lab.measured(campaign(), FILMS)


def fitted(**beliefs):
    return film_lab.surrogate(campaign(), DATA, **beliefs)


def standard(model, target=TARGET, tolerance=TOLERANCE):
    (latent,) = model.latents()
    return Nearer(target, tolerance).standardised(latent.centre, latent.scale)


def acquisition(model, reference, *, near=None, draws=4096, devices=5):
    return FilmImprovement(
        model.latents(),
        to_tensor(reference),
        devices=devices,
        draws=draws,
        seed=3,
        utility=near or standard(model),
    )


def test_the_model_is_of_the_readings_and_not_of_their_distance():
    high = film_lab.surrogate(film_lab.problem_of(campaign().space, campaign().film, campaign().policy), DATA)
    np.testing.assert_array_equal(fitted().state.Y, high.state.Y)
    np.testing.assert_array_equal(fitted().predict(NEW).mean, high.predict(NEW).mean)


@pytest.mark.parametrize(("row", "target", "tolerance"), [(0, 6.0, 0.3), (2, 2.0, 0.0)])
def test_one_device_against_one_point_is_the_quadrature(row, target, tolerance):
    model = fitted()
    reference, x, near = model.state.X[[7]], NEW[[row]], standard(model, target, tolerance)
    mean, covariance = film_lab.dense(model, np.vstack([reference, x]))
    expected = targets.gain_over_one(mean, covariance, near.target, near.tolerance)
    found = acquisition(model, reference, near=near)
    draws = to_array(found.improvements(to_tensor(x)[None]).clamp_min(0.0))[0]
    assert found.gain(to_tensor(x)[None]).item() == pytest.approx(expected, abs=4 * draws.std() / 64 + 1e-4)


@pytest.mark.parametrize("pending", [0, 5])
@pytest.mark.parametrize(("target", "tolerance"), [(6.0, 0.3), (2.0, 0.0), (12.0, 0.5)])
def test_a_film_against_many_points_is_the_brute_force(pending, target, tolerance):
    model = fitted()
    in_flight = straight([0.6, 0.2, 0.2], [0.1, 0.1, 0.8]).points()[:pending]
    reference, near = np.vstack([model.state.X, in_flight]), standard(model, target, tolerance)
    mean, covariance = film_lab.dense(model, np.vstack([reference, NEW]))
    expected, error = targets.gain_over_best(
        mean, covariance, len(reference), near.target, near.tolerance, draws=200_000, seed=1
    )
    found, X = acquisition(model, reference, near=near), to_tensor(NEW)[None]
    own_error = to_array(found.improvements(X).clamp_min(0.0)).std() / 64
    assert expected > 10 * error
    assert own_error < 0.1 * expected
    assert found.gain(X).item() == pytest.approx(expected, abs=4 * np.hypot(error, own_error))


def test_dead_devices_count_for_nothing():
    """Devices that are almost surely dead gain nothing; where all surely live it is the plain gain."""
    model, X = fitted(), to_tensor(NEW)[None]
    plain = acquisition(model, model.state.X, draws=256).gain(X).item()
    for chance, expected in ((1.0, plain), (0.0, 0.0)):
        alive = FilmImprovement(
            model.latents(),
            to_tensor(model.state.X),
            devices=5,
            draws=256,
            seed=3,
            utility=standard(model),
            chances=lambda X, chance=chance: torch.full(X.shape[:2], chance, dtype=torch.float64),
        )
        assert alive.gain(X).item() == pytest.approx(expected, abs=1e-6)


def test_the_gradient_is_the_slope():
    model = fitted()
    acq = acquisition(model, model.state.X, draws=256)
    X = to_tensor(NEW)[None].requires_grad_()
    (gradient,) = torch.autograd.grad(acq.value(X)[0], X)
    step = 1e-7
    for k, j in [(0, 0), (2, 1), (4, 2)]:
        shift = torch.zeros_like(X)
        shift[0, k, j] = step
        slope = (acq.value(X + shift) - acq.value(X - shift)).item() / (2 * step)
        assert gradient[0, k, j].item() == pytest.approx(slope, rel=1e-3, abs=1e-3)


SURE = {"output": 1e-3, "noise": 1e-8, "film": 0.0}


def _mean_at(model, x):
    return float(model.predict(x[None]).mean[0, 0])


@pytest.mark.parametrize("beliefs", [{}, SURE], ids=["unsure", "sure"])
@pytest.mark.parametrize("tolerance", [0.0, 0.2, 1e6], ids=["exact", "narrow", "everything"])
@pytest.mark.parametrize("row", [0, 6])
def test_value_and_gradient_are_finite_at_the_target_at_its_edge_and_far_away(beliefs, tolerance, row):
    """Uniform and repeated films at a reading that meets the target, that lies on the edge, and that is far off."""
    model = fitted(**beliefs)
    x = model.state.X[row]
    level = _mean_at(model, x)
    for target in (level, level + tolerance, level - tolerance, level + 1e4):
        acq = acquisition(model, model.state.X, near=standard(model, target, tolerance), draws=64)
        X = to_tensor(np.stack([np.repeat(x[None], 5, axis=0), NEW, FILMS[0].points()])).requires_grad_()
        value = acq.value(X)
        (gradient,) = torch.autograd.grad(value.sum(), X)
        assert torch.isfinite(value).all()
        assert torch.isfinite(gradient).all()
        assert (acq.gain(X) >= 0.0).all()
        assert torch.isfinite(acq.gain(X)).all()


def test_where_everything_is_within_the_tolerance_nothing_is_left_to_gain():
    model = fitted()
    acq = acquisition(model, model.state.X, near=standard(model, 5.0, 1e4), draws=64)
    assert acq.gain(to_tensor(NEW)[None]).item() == 0.0


def frame_like(model, aim_utility, reference, width):
    return FilmHypervolume(
        [Aim(model.latents(), reference, width, aim_utility)],
        [],
        to_tensor(model.state.X),
        devices=5,
        draws=256,
        seed=3,
    )


def test_the_hypervolume_of_one_target_is_the_improvement_above_its_reference():
    """With a reference below everything the two differ by the unit alone: the same law, other numbers."""
    model, X = fitted(), to_tensor(NEW)[None]
    width = 2.0
    volume = frame_like(model, Nearer(TARGET, TOLERANCE), -1e3, width).gain(X).item()
    (latent,) = model.latents()
    plain = acquisition(model, model.state.X).gain(X).item()
    assert width * volume == pytest.approx(latent.scale * plain, rel=0.1)


def test_a_target_far_off_is_a_direction():
    """Nearness to what is far above everything is largeness, in the same draws."""
    model, X = fitted(), to_tensor(NEW)[None]
    up = FilmImprovement(model.latents(), to_tensor(model.state.X), devices=5, draws=256, seed=3)
    near = acquisition(model, model.state.X, near=standard(model, 1e5, 0.0), draws=256)
    assert near.gain(X).item() == pytest.approx(up.gain(X).item(), rel=1e-6)


def question(policy=None, **said):
    asked = campaign(policy, **said)
    return asked_of(asked, film_lab.surrogate(asked, DATA), DATA, 0)


def test_the_points_to_be_beaten_are_the_nearest_to_the_target():
    many = film_lab.measured(
        campaign(), [straight(a, b) for a, b in np.random.default_rng(0).dirichlet(np.ones(3), (24, 2))]
    )
    asked = asked_of(campaign(), film_lab.surrogate(campaign(), many), many, 0)
    kept = reference_points(asked)
    predicted = asked.model().predict(np.unique(asked.read().X, axis=0))
    expected = [
        targets.mean_of(lambda v: targets.utility(v, TARGET, TOLERANCE), m, s, [TARGET - TOLERANCE, TARGET + TOLERANCE])
        for m, s in zip(predicted.mean[:, 0], predicted.sd[:, 0], strict=True)
    ]
    best = np.unique(asked.read().X, axis=0)[np.argsort(expected)[-100:]]
    assert len(kept) == 100 < len(expected)
    np.testing.assert_array_equal(kept, best[np.lexsort(best.T[::-1])])


def test_the_readings_nearest_to_the_target_come_first_and_the_pool_gathers_about_it():
    asked = question()
    far = np.abs(best_read(asked).Y[:, 0] - TARGET)
    assert (np.diff(np.maximum(far - TOLERANCE, 0.0)) >= 0.0).all()
    pool = promising_pool(asked, 512)
    off = np.abs(asked.model().predict(pool.points).mean[:, 0] - TARGET)
    spread = np.abs(asked.model().predict(asked.problem.space.sample(512, seed=1)).mean[:, 0] - TARGET)
    assert np.median(off) < 0.7 * np.median(spread)


def test_the_best_chances_are_those_that_may_be_near():
    model = fitted()
    points = campaign().space.sample(400, seed=2)
    kept = best_chances(model.latents()[0], Pool(points, np.zeros(400)), 50, standard(model))

    def reach(X):
        m, s = model.predict(X)
        return np.maximum(np.abs(m - TARGET) - TOLERANCE - 3.0 * s, 0.0)[:, 0]

    assert reach(kept).max() <= np.sort(reach(points))[49] + 1e-9
    assert len(kept) == 50


def test_generators_are_asked_for_the_target_itself():
    found = wishes(question(InverseDesign(draws=16, top=2, mc_samples=16)))
    assert [w.targets.tolist() for w in found] == [[TARGET]]


def test_beside_other_objectives_the_target_stays_while_these_go_beyond():
    up = Objective(property="echo", unit="V")
    two = {"objectives": (*campaign().objectives, up), "policy": HypervolumeImprovement(**QUICK)}
    asked = campaign().model_copy(update=two)
    data = film_lab.measured(asked, FILMS)
    found = np.array([w.targets for w in wishes(asked_of(asked, film_lab.surrogate(asked, data), data, 0))])
    assert (found[:, 0] == TARGET).all()
    assert len(np.unique(found[:, 1])) > 1


@pytest.mark.parametrize("left", [None, 1])
def test_auto_takes_what_can_seek_a_target_for_the_last_film_too(left):
    asked = question()
    picked = pick(asked.__class__(**{**asked.__dict__, "left": left}), asked.problem.policy.__class__(**QUICK))
    assert picked.choice.name == "expected_improvement"
    assert picked.why == "one target is to be met"


@pytest.mark.parametrize(
    "policy", [ExpectedImprovement(**QUICK), ThompsonSampling(raw_films=48, restarts=1, pool=64)], ids=lambda p: p.name
)
def test_a_loop_comes_within_the_tolerance(policy):
    """From two poor films, with noise: of the true values of the devices one meets the target after four films more."""
    asked, made = campaign(policy, target=9.0, tolerance=0.2), list(FILMS)
    for seed in range(4):
        data = film_lab.measured(asked, made, seed=1)
        answer = propose(asked, film_lab.bundle(asked, data), data, pending=[], count=1, seed=seed)[0]
        assert "towards 9 ± 0.2 V" in answer.reason
        made.append(answer.film)
    values = [film_lab.truth(asked, film.points()) for film in made]
    assert min(np.abs(v - 9.0).min() for v in values[:2]) > 0.2
    assert min(np.abs(v - 9.0).min() for v in values) < 0.2


@pytest.mark.parametrize("tolerance", [0.1, 1e6])
def test_the_other_objective_counts_on_where_every_reading_meets_the_target(tolerance):
    """Nothing is worth more than a target that is met: without room below it, no film would gain anything."""
    met = Objective(property="p1", unit="V", direction="match", target=-0.01, tolerance=tolerance)
    asked = trade_off_lab.problem(2)
    asked = asked.model_copy(update={"objectives": (asked.objectives[0], met)})
    data = trade_off_lab.measured(trade_off_lab.problem(2))
    (answer,) = propose(asked, train(asked, data, seed=0), data, pending=[], count=1, seed=0)
    assert answer.gain > 0.01 * tolerance


def test_limits_count_on_where_every_reading_meets_the_target_and_none_keeps_them():
    met = Objective(property="p0", unit="V", direction="match", target=5.0, tolerance=20.0)
    asked = trade_off_lab.problem(1, limited=True)
    asked = asked.model_copy(update={"objectives": (met,)})
    data = trade_off_lab.measured(trade_off_lab.problem(1, limited=True))
    data = replace(data, Y=data.Y + np.array([0.0, 0.4]))
    assert (data.Y[:, 1] > trade_off_lab.LIMITED.upper).sum() >= 8
    (answer,) = propose(asked, train(asked, data, seed=0), data, pending=[], count=1, seed=0)
    assert answer.gain > 1e-3
