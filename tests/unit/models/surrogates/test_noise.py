"""What is known of the noise, judged in labs whose noise is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.catalog import FilmGP as FilmGPChoice
from models.catalog import NoiseModel
from models.checkpoint import from_bytes, to_bytes
from models.dataset import Dataset
from models.surrogates.film_gp import FilmGP
from models.surrogates.film_gp_state import STATED_DEGREES, FilmGPState
from models.surrogates.fitting import Fit
from models.surrogates.hyperparameters import Layout
from models.surrogates.noise_basis import (
    MOST_CENTRES,
    PLACE_SHARE,
    PLACES,
    carried_weights,
    mean_noise,
    noise_centres,
    noise_features,
    reading_features,
)
from models.surrogates.noise_fitting import fit_noise, promising_spread, weight_covariance
from models.surrogates.predictor import Predictor
from models.tensors import to_tensor
from models.train import train
from tests.oracles import noisy_lab, small_lab

PROBE = small_lab.probe(200, seed=3)
FACTOR = 1.5


def problem(direction="maximise", **noise):
    options = {"outliers": "none", "drift": False, "heteroscedastic": False} | noise
    choice = FilmGPChoice(noise=NoiseModel(**options), averaging=1)
    return small_lab.problem(direction=direction).model_copy(update={"surrogate": choice})


def told_noise(surrogate, X):
    """Standard deviation of a reading in physical units, as acquisitions are told it."""
    (latent,) = surrogate.latents()
    return latent.scale * np.sqrt(latent.noise(to_tensor(X), None).numpy())


def recovered(surrogate, X, expected):
    """Share of points where the noise is right within `FACTOR`."""
    return np.mean(np.abs(np.log(told_noise(surrogate, X) / expected)) < np.log(FACTOR))


@pytest.fixture(scope="module")
def varying():
    return train(problem(heteroscedastic=True), noisy_lab.with_varying_noise(20), seed=0)


def test_tenfold_noise_is_recovered_where_one_sigma_for_all_fails(varying):
    expected = noisy_lab.noise_sd(PROBE)
    assert varying.metrics["objectives"][0]["noise_varies"]
    assert recovered(varying.surrogate, PROBE, expected) > 0.9
    even = train(problem(), noisy_lab.with_varying_noise(20), seed=0).surrogate
    assert recovered(even, PROBE, expected) < 0.6


@pytest.mark.parametrize(
    ("unit", "origin", "direction"), [(1e-9, 0.0, "maximise"), (1e6, -1e9, "minimise"), (1.0, 1e3, "minimise")]
)
def test_noise_is_the_same_in_all_units(varying, unit, origin, direction):
    data = noisy_lab.with_varying_noise(20)
    there = train(problem(direction, heteroscedastic=True), replace(data, Y=origin + unit * data.Y), seed=0).surrogate
    np.testing.assert_allclose(told_noise(there, PROBE) / unit, told_noise(varying.surrogate, PROBE), rtol=0.05)
    assert there.noise_sd[0] / unit == pytest.approx(varying.surrogate.noise_sd[0], rel=0.05)


def test_noise_in_proportion_is_recovered_in_natural_units_and_in_logarithms():
    """Readings with a relative error of 10 % of a property that varies sevenfold."""
    data = small_lab.dataset(20, 13, noise=0.0, offset=0.0)
    log = np.sin(4.0 * data.X[:, 0]) + 0.1 * np.random.default_rng(0).standard_normal(len(data))
    natural = train(problem(heteroscedastic=True), replace(data, Y=np.exp(log)[:, None]), seed=0).surrogate
    expected = 0.1 * np.exp(np.sin(4.0 * PROBE[:, 0]))
    assert recovered(natural, PROBE, expected) > 0.8
    logarithms = train(problem(heteroscedastic=True), replace(data, Y=log[:, None]), seed=0).surrogate
    assert recovered(logarithms, PROBE, 0.1) > 0.99


def test_everyone_is_told_the_same_noise(varying):
    surrogate = varying.surrogate
    said = Predictor.from_arrays(surrogate.arrays()).predict(PROBE)
    np.testing.assert_allclose(said.noise_sd[:, 0], told_noise(surrogate, PROBE), rtol=1e-10)
    assert told_noise(surrogate, PROBE).min() < surrogate.noise_sd[0] < told_noise(surrogate, PROBE).max()


def test_varying_noise_survives_the_checkpoint_and_a_new_reading(varying):
    asked, data = problem(heteroscedastic=True), noisy_lab.with_varying_noise(20)
    copy = from_bytes(to_bytes(varying), asked, data).surrogate
    np.testing.assert_array_equal(told_noise(copy, PROBE), told_noise(varying.surrogate, PROBE))
    fewer = varying.surrogate.condition(asked, data.take(np.arange(100)).canonical())
    np.testing.assert_array_equal(told_noise(fewer, PROBE), told_noise(varying.surrogate, PROBE))


def test_a_warm_fit_finds_the_same_noise(varying):
    again = train(problem(heteroscedastic=True), noisy_lab.with_varying_noise(20), seed=1, previous=varying)
    np.testing.assert_allclose(told_noise(again.surrogate, PROBE), told_noise(varying.surrogate, PROBE), rtol=0.1)


def test_noise_has_a_gradient_that_is_right(varying):
    (latent,) = varying.surrogate.latents()
    X = to_tensor(PROBE[:3]).requires_grad_()
    positions = torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda points: latent.noise(points, positions), (X,))


def test_noise_that_depends_on_the_position_is_found():
    """Devices at both ends of every film scatter six times as much as those in its middle."""
    data = small_lab.dataset(25, 13, noise=0.0)
    positions = np.tile(np.linspace(0.0, 1.0, 13), 25)
    sd = 0.05 * 6.0 ** np.abs(2.0 * positions - 1.0)
    Y = data.Y + (sd * np.random.default_rng(0).standard_normal(len(data)))[:, None]
    read = replace(data, Y=Y, positions=positions)
    (latent,) = train(problem(heteroscedastic=True), read, seed=0).surrogate.latents()
    ends, middle = (
        float(latent.noise(to_tensor(PROBE), torch.full((len(PROBE),), p)).mean() ** 0.5) for p in (0.0, 0.5)
    )
    assert ends > 2.5 * middle


def test_where_noise_is_even_no_more_is_fitted_and_the_answer_is_the_same():
    """Costs one inverse: the score test stops it."""
    same = []
    for seed in range(3):
        data = small_lab.dataset(12, seed=seed)
        even, free = (train(problem(heteroscedastic=h), data, seed=0).surrogate for h in (False, True))
        same.append(recovered(free, PROBE, even.noise_sd[0]))
        np.testing.assert_allclose(free.predict(PROBE).mean, even.predict(PROBE).mean, atol=0.05)
    assert np.mean(same) > 0.95


def blank(known=None, replicates=None, count=40):
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.dirichlet(np.ones(3), count), rng.random(count)])
    variance = np.full((count, 1), np.nan) if known is None else known[:, None]
    films, names = np.array([f"f{k // 4}" for k in range(count)]), np.array([f"r{k:03d}" for k in range(count)])
    more = {} if replicates is None else {"replicates": replicates[:, None]}
    return Dataset(x, small_lab.truth(x)[:, None], variance, films, np.arange(count, dtype=float), names, **more)


def test_variances_that_all_readings_state_are_the_noise_elsewhere():
    """An instrument that states 0.2 V of everything is believed where nothing was read."""
    surrogate = train(problem(), blank(known=np.full(40, 0.04)), seed=0).surrogate
    assert surrogate.noise_sd[0] == pytest.approx(0.2, rel=0.1)


@pytest.mark.parametrize("uncertainty", [5.0, 1e6])
def test_one_reading_that_is_stated_to_be_poor_says_nothing_of_the_others(uncertainty):
    known = np.full(40, 0.04)
    known[7] = uncertainty**2
    assert train(problem(), blank(known=known), seed=0).surrogate.noise_sd[0] == pytest.approx(0.2, rel=0.1)


def test_replicates_speak_of_one_reading_and_stated_variances_only_if_they_are_all_there_is():
    known = np.where(np.arange(40) < 20, 0.01, np.nan)
    counts = np.where(np.arange(40) < 10, 5.0, 1.0)
    data = FilmGPState.unfitted(problem(), blank(known, counts)).readings(0)
    scale = FilmGPState.unfitted(problem(), blank(known, counts)).scale[0]
    np.testing.assert_array_equal(data.degrees, np.where(np.arange(40) < 10, 4.0, 0.0))
    np.testing.assert_allclose(data.stated[:10], 5.0 * 0.01 / scale**2)
    every = FilmGPState.unfitted(problem(), blank(np.full(40, 0.01), counts)).readings(0)
    np.testing.assert_array_equal(every.degrees, np.where(np.arange(40) < 10, 4.0, STATED_DEGREES))


def test_drift_is_recovered_from_a_coupon_and_the_property_is_known_better():
    films, both, drift = noisy_lab.with_drift(12)
    truth = small_lab.truth(PROBE)
    without = train(problem(drift=True), films, seed=0)
    within = train(problem(drift=True), both, seed=0)
    blind, aware = (np.sqrt(np.mean((b.surrogate.predict(PROBE).mean[:, 0] - truth) ** 2)) for b in (without, within))
    assert aware < 0.5 * blind
    assert without.metrics["objectives"][0]["drift_sd"] == 0.0
    assert within.metrics["objectives"][0]["drift_sd"] > 0.3 * np.ptp(drift)
    assert within.metrics["objectives"][0]["films"] == 12


def test_a_coupon_is_no_film_and_its_value_and_place_count_for_nothing():
    _, both, _ = noisy_lab.with_drift(6)
    elsewhere = replace(
        both,
        X=np.where(both.calibration[:, None], 1e3, both.X),
        Y=np.where(both.calibration[:, None], both.Y + 1e4, both.Y),
        films=np.where(both.calibration, "film-0", both.films),
    )
    one, other = (train(problem(drift=True), data, seed=0).surrogate for data in (both, elsewhere))
    np.testing.assert_allclose(one.predict(PROBE).mean, other.predict(PROBE).mean, rtol=1e-5)
    assert len(one.latents()[0].points) == (~both.calibration).sum()
    said = Predictor.from_arrays(one.arrays()).predict(PROBE)
    np.testing.assert_allclose(said.mean, one.predict(PROBE).mean, rtol=1e-8)


def test_order_plays_no_part_with_a_coupon_either():
    _, both, _ = noisy_lab.with_drift(5)
    shuffled = both.take(np.random.default_rng(0).permutation(len(both)))
    asked = problem(drift=True, heteroscedastic=True)
    one, other = (train(asked, data, seed=0).surrogate.predict(PROBE) for data in (both, shuffled))
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.sd, other.sd)


def test_old_ranges_do_not_serve_a_new_space(monkeypatch):
    monkeypatch.setattr("models.surrogates.film_gp.ALWAYS_FITTED", 20)
    data = small_lab.dataset(4)
    surrogate = train(problem(), data, seed=0).surrogate
    moved = replace(surrogate.state, width=2.0 * surrogate.state.width)
    assert surrogate.is_recent(problem(), data.canonical())
    assert not FilmGP(moved).is_recent(problem(), data.canonical())
    varied = replace(surrogate.hyperparameters[0], noise_spread=1.0, noise_weights=np.zeros(2 + len(PLACES)))
    centres = surrogate.state.scaled(data.X)[:2]
    other = FilmGP(replace(surrogate.state, hyperparameters=(varied,), noise_centres=centres))
    assert not other.is_recent(problem(), data.canonical())
    assert other.is_recent(problem(heteroscedastic=True), data.canonical())


def test_features_are_a_whitened_kernel_at_spread_centres():
    centres = noise_centres(PROBE)
    assert 4 < len(centres) <= MOST_CENTRES
    assert len({tuple(c) for c in centres.tolist()}) == len(centres)
    assert (noise_centres(PROBE[::-1]) == centres).all()
    np.testing.assert_allclose((noise_features(centres, centres) ** 2).sum(1), 1.0, atol=1e-6)
    np.testing.assert_allclose(noise_features(PROBE + 50.0, centres), 0.0, atol=1e-12)


def test_position_and_material_share_the_variance_of_the_log_noise():
    centres = noise_centres(PROBE)
    positions = np.resize(PLACES, len(centres))
    both = reading_features(centres, centres, positions)
    np.testing.assert_allclose((both**2).sum(1), 1.0, atol=1e-6)
    far = reading_features(centres + 50.0, centres, positions)
    np.testing.assert_allclose((far**2).sum(1), PLACE_SHARE, atol=1e-6)
    unknown = reading_features(centres, centres, np.where(np.arange(len(centres)) < 2, np.nan, positions))
    np.testing.assert_array_equal(unknown[2:], both[2:])
    np.testing.assert_array_equal(unknown[:2], reading_features(centres, centres)[:2])


def test_weights_keep_their_noise_when_centres_change():
    old, new, t = noise_centres(PROBE[:120]), noise_centres(PROBE[60:]), 0.3
    weights = np.random.default_rng(0).standard_normal(len(old) + len(PLACES))
    carried, positions = carried_weights(weights, old, new), np.full(len(new), t)
    now, before = reading_features(new, new, positions) @ carried, reading_features(new, old, positions) @ weights
    np.testing.assert_allclose(now, before, atol=1e-6)


def test_mean_noise_is_that_of_drawn_weights():
    rng = np.random.default_rng(0)
    features, weights, root = rng.standard_normal((5, 3)) / 2.0, rng.standard_normal(3), rng.standard_normal((3, 3)) / 3
    draws = weights + rng.standard_normal((200_000, 3)) @ root.T
    rest = np.sqrt(np.maximum(1.0 - (features**2).sum(1), 0.0))[:, None] * rng.standard_normal((5, 200_000))
    drawn = np.exp(0.7 * (features @ draws.T + rest)).mean(1)
    np.testing.assert_allclose(mean_noise(features, 0.7, weights, root @ root.T), drawn, rtol=0.02)


def test_the_score_test_tells_even_noise_from_uneven():
    layout = Layout(4, film_effect=True)
    for data, expected in ((noisy_lab.with_varying_noise(15), True), (small_lab.dataset(15, 13), False)):
        state = FilmGPState.unfitted(problem(), data.canonical()).with_noise_centres()
        readings = state.readings(0)
        found: Fit = fit_noise(readings, layout=layout, seed=0, starts=1, previous=None, progress=lambda _phase: None)
        even = replace(found.hyperparameters, noise_spread=0.0, noise_weights=np.empty(0))
        assert (promising_spread(readings, even) == 1.0) == expected
        assert (found.hyperparameters.noise_spread == 1.0) == expected
        doubt = weight_covariance(readings, found.hyperparameters)
        assert (np.linalg.eigvalsh(doubt) <= 1.0 + 1e-9).all()
        if expected:
            assert np.linalg.eigvalsh(doubt).min() > 0.0


def with_everything():
    """Readings with stated variances, means of repeats, readings at a limit and dead devices."""
    data = small_lab.dataset(6, known=0.5).canonical()
    rows = np.arange(len(data))
    stated, repeated, beyond, dead = (rows % 6 == k for k in range(4))
    Y, Yvar, one = data.Y.copy(), np.full(data.Y.shape, np.nan), np.ones(data.Y.shape)
    Y[dead], Yvar[stated | repeated] = np.nan, 0.2**2
    replicates, censored = np.where(repeated[:, None], 3.0, one), np.where(beyond[:, None], one, 0.0).astype(np.int8)
    return replace(data, Y=Y, Yvar=Yvar, replicates=replicates, censored=censored, dead=dead)


@pytest.mark.parametrize(
    ("switch", "blank"),
    [
        ("stated", lambda d: {"Yvar": d.Yvar * np.nan, "replicates": np.ones(d.Y.shape)}),
        ("one_sided", lambda d: {"Y": np.where(d.censored == 0, d.Y, np.nan), "censored": np.zeros_like(d.censored)}),
        ("dead_devices", lambda d: {"dead": np.zeros_like(d.dead)}),
    ],
)
def test_what_is_switched_off_is_as_if_it_had_not_been_told(switch, blank):
    data = with_everything()
    off = train(problem(**{switch: False}), data, seed=0).surrogate
    untold = train(problem(), replace(data, **blank(data)), seed=0).surrogate
    on = train(problem(), data, seed=0).surrogate
    for name, value in untold.arrays().items():
        np.testing.assert_array_equal(off.arrays()[name], value, err_msg=name)
    if switch == "dead_devices":
        assert [m.survival() is None for m in (off, on)] == [True, False]
    else:
        assert not np.allclose(off.predict(PROBE).mean, on.predict(PROBE).mean, rtol=1e-6)
