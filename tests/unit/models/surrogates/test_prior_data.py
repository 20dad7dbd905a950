"""Prior data in the Gaussian process against dense algebra with every unknown written out, and what they do to fits."""

from dataclasses import replace

import numpy as np
import pytest

from models.checkpoint import from_bytes, to_bytes
from models.dataset import Dataset, joined
from models.surrogates import film_gp
from models.surrogates.conditioning import Conditioner
from models.surrogates.evidence import CONSTANT_VARIANCE, NUGGET, OFFSET_VARIANCE, Evidence, Readings
from models.surrogates.film_gp_fit import some_films
from models.surrogates.hyperparameters import DISCREPANCY, SCATTER, Hyperparameters, Layout
from models.surrogates.prior_data import FITTED, offset, thinned
from models.surrogates.scaling import units_with_prior
from models.train import train
from tests.oracles import small_lab
from tests.oracles.prior_data_gp import DensePriorDataGP

H = Hyperparameters(
    np.array([0.5, 0.9, 1.7]), 1.3, 0.05, 0.2, discrepancy=np.array([0.3, 2.0]), scatter=np.array([0.1, 0.7])
)


def readings(n=15, seed=0):
    """Five own readings, five of each source; films of two and three."""
    rng = np.random.default_rng(seed)
    source = np.repeat([-1, 0, 1], n // 3)[rng.permutation(n)]
    film = 3 * (source + 1) + rng.integers(0, 2, n)
    known = np.where(rng.random(n) < 0.4, 0.03, np.nan)
    return Readings(rng.random((n, 3)), rng.standard_normal(n), known, film, source=source)


def oracle(data, h=H):
    noise = np.where(np.isnan(data.known_variance), h.noise_variance, data.known_variance) + NUGGET
    noise = noise + np.array([*h.scatter, 0.0])[data.source]
    return DensePriorDataGP(
        data.x,
        data.y,
        noise,
        data.film,
        data.source,
        h.lengthscales,
        h.output_variance,
        CONSTANT_VARIANCE,
        h.film_variance,
        OFFSET_VARIANCE,
        h.discrepancy,
    )


def elsewhere(*, seed=7, shift=5.0, sign=1.0, name="prd_1", films=6):
    """The lab's property on other films, read by somebody else."""
    there = small_lab.dataset(films, seed=seed, offset=0.1)
    Y = shift + sign * there.Y
    uids = np.char.add(f"{name}/", there.names)
    return replace(
        there, Y=Y, films=np.char.add(f"{name}/", there.films), names=uids, sources=np.full(len(there), name)
    )


def error(bundle, problem):
    probe = small_lab.probe(200)
    away = bundle.predict(problem, probe).mean[:, 0] - small_lab.truth(probe)
    return float(np.sqrt(np.mean(away**2)))


def test_the_evidence_is_the_density_of_all_readings():
    data = readings()
    value = Evidence(data, H.layout())(H.theta())[0]
    assert value == pytest.approx(oracle(data).log_evidence(), rel=1e-10)
    np.testing.assert_allclose(Evidence(data).covariance(H)[0], oracle(data).covariance(), rtol=1e-9, atol=1e-12)


def test_the_gradient_agrees_with_central_differences():
    data = readings()
    evidence, theta, step = Evidence(data, H.layout()), H.theta(), 1e-5
    moves = step * np.eye(len(theta))
    differences = [(evidence(theta + e)[0] - evidence(theta - e)[0]) / (2 * step) for e in moves]
    np.testing.assert_allclose(evidence(theta)[1], differences, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("exact", [None, 0])
def test_f_and_the_offsets_are_those_of_dense_algebra(exact):
    """With every point an inducing one the sparse posterior is exact, but for its jitter."""
    data, probe = readings(), np.random.default_rng(1).random((6, 3))
    component = Conditioner(data, H, exact)
    mean, covariance, offsets, variances = oracle(data).posterior(probe)
    found = component.conditioning.moments(probe)
    np.testing.assert_allclose(found[0], mean, atol=1e-6)
    np.testing.assert_allclose(found[1], np.diag(covariance), atol=2e-6)
    for s in range(0 if component.sparse else 2):
        assert offset(component, data.source == s) == pytest.approx((offsets[s], variances[s]), rel=1e-6)


def test_hyperparameters_survive_their_vectors_and_find_their_sources_again():
    h = replace(H, noise_spread=1.0, noise_weights=np.array([0.5, -1.0]), drift_variance=0.3, drift_time=0.4)
    for copy in (Hyperparameters.from_natural(h.natural(), 3, 2), h.layout().hyperparameters(h.theta())):
        np.testing.assert_allclose(copy.natural(), h.natural(), rtol=1e-14)
    moved = h.carried([11, 12], [12, 13])
    np.testing.assert_allclose(moved.discrepancy, [2.0, np.exp(DISCREPANCY.mean)])
    np.testing.assert_allclose(moved.scatter, [0.7, np.exp(SCATTER.mean)])
    assert len(Layout(3, sources=2).priors()) == len(Layout(3, sources=2).start(H))


def test_a_column_without_a_reading_of_a_source_leaves_its_discrepancy_to_the_prior():
    data = readings()
    kept = np.flatnonzero(data.source != 1)
    few = replace(data, **{f: getattr(data, f)[kept] for f in ("x", "y", "known_variance", "film", "source")})
    slope = Evidence(few, H.layout())(H.theta())[1]
    assert slope[-1] == slope[-3] == 0.0
    assert (slope[[-2, -4]] != 0.0).all()


def test_units_come_from_own_readings_and_at_first_from_the_sources():
    rng = np.random.default_rng(0)
    there, own = 100.0 + 3.0 * rng.standard_normal(400), 7.0 + rng.standard_normal(400)
    assert units_with_prior(np.empty(0), 0, [there]) == pytest.approx((100.0, 3.0), abs=0.5)
    centre, scale = units_with_prior(own, 2, [there])
    assert (centre, scale) == pytest.approx((7.0, np.sqrt(2.0 * 3.0)), rel=0.1)
    assert units_with_prior(own, 200, [there])[1] == pytest.approx(1.0, rel=0.1)


def test_own_films_are_known_better_with_what_was_read_elsewhere():
    problem, own = small_lab.problem(), small_lab.dataset(2)
    alone = train(problem, own, seed=0)
    helped = train(problem, joined([own, elsewhere()]), seed=0)
    assert error(helped, problem) < 0.7 * error(alone, problem)
    (report,) = helped.metrics["prior_data"]["signal"]
    assert report["source"] == "prd_1"
    assert report["correlation"] > 0.8
    assert abs(report["offset"] - 5.0) < 2.0 * report["offset_sd"] + 0.3


def test_a_source_that_says_the_opposite_is_told_apart_and_does_little_harm():
    problem, own = small_lab.problem(), small_lab.dataset(6)
    alone, misled = train(problem, own, seed=0), train(problem, joined([own, elsewhere(sign=-1.0)]), seed=0)
    assert misled.metrics["prior_data"]["signal"][0]["correlation"] < 0.6
    assert error(misled, problem) < 1.3 * error(alone, problem)


def test_prior_data_is_no_film_of_the_report():
    problem, own = small_lab.problem(), small_lab.dataset(3)
    report = train(problem, joined([own, elsewhere()]), seed=0).metrics["objectives"][0]
    assert (report["readings"], report["films"]) == (len(own), 3)
    assert report["leave_film_out"]["readings"] == len(own)
    assert {film["film"] for film in report["leave_film_out"]["film_residuals"]} == {"film-0", "film-1", "film-2"}


def test_a_model_of_prior_data_alone_has_its_level_and_survives_its_bytes():
    problem, there = small_lab.problem(direction="minimise"), elsewhere()
    bundle = train(problem, there, seed=0)
    mean, sd = bundle.predict(problem, small_lab.probe(50))
    assert abs(np.median(mean) - np.median(there.Y)) < 2.0
    assert sd.min() > 0.5
    assert bundle.metrics["objectives"][0]["films"] == 0
    again = from_bytes(to_bytes(bundle), problem)
    np.testing.assert_array_equal(again.predict(problem, small_lab.probe(50)).mean, mean)


def test_the_order_of_all_readings_is_irrelevant():
    problem = small_lab.problem()
    data = joined([small_lab.dataset(2), elsewhere(films=2), elsewhere(films=2, name="prd_2", seed=9)])
    shuffled = data.take(np.random.default_rng(0).permutation(len(data)))
    one, other = (train(problem, d, seed=3) for d in (data, shuffled))
    assert one.fingerprint == other.fingerprint != train(problem, data.of_films(), seed=3).fingerprint
    for name, array in one.surrogate.arrays().items():
        np.testing.assert_array_equal(array, other.surrogate.arrays()[name])


def test_a_withdrawn_source_leaves_the_others_their_hyperparameters():
    problem, own = small_lab.problem(), small_lab.dataset(3)
    both = joined([own, elsewhere(films=2), elsewhere(films=2, name="prd_2", sign=-1.0)])
    fitted = train(problem, both, seed=0).surrogate
    left = fitted.condition(problem, both.take(both.sources != "prd_1").canonical())
    assert left.hyperparameters[0].discrepancy == fitted.hyperparameters[0].discrepancy[1:]


def test_a_long_table_does_not_make_the_fit_long():
    n = 3 * FITTED
    rng = np.random.default_rng(0)
    X = np.hstack([rng.dirichlet(np.ones(3), n), rng.random((n, 1))])
    long = Dataset(
        X, rng.random((n, 1)), np.full((n, 1), np.nan), np.full(n, "p/"), np.zeros(n), np.arange(n).astype(str)
    )
    data = joined([small_lab.dataset(2), replace(long, sources=np.full(n, "p"))]).canonical()
    few = some_films(data)
    assert len(few.of_films()) == len(data.of_films())
    assert len(few.prior()) == FITTED
    more = joined([data, small_lab.dataset(1, seed=5)]).canonical()
    assert set(few.prior().names) == set(some_films(more).prior().names)
    assert thinned(small_lab.dataset(2), 1).all()


def test_more_prior_data_than_a_model_can_hold_are_thinned(monkeypatch):
    monkeypatch.setattr(film_gp, "CONDITIONED", 20)
    data = joined([small_lab.dataset(1), elsewhere(), elsewhere(name="prd_2", seed=9)])
    surrogate = train(small_lab.problem(), data, seed=0).surrogate
    counts = [int((surrogate.state.source == s).sum()) for s in (-1, 0, 1)]
    assert counts == [7, 10, 10]
    assert surrogate.condition(small_lab.problem(), data.canonical()).state.X.shape == surrogate.state.X.shape
