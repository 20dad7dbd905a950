from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from models.surrogates.outliers import HELD, SHARES, WILD, cavity, inflation
from models.train import train
from tests.oracles import small_lab


def test_the_factor_is_the_mean_precision_by_bayes_rule():
    residual, latent, noise = np.array([0.1, 0.5, -0.9, 40.0]), np.array([0.02, 0.0, 0.1, 0.3]), np.full(4, 0.01)
    found = inflation(residual, latent, noise)
    for k in range(4):
        likely = [
            e * norm.pdf(residual[k], 0.0, np.sqrt(latent[k] + r**2 * noise[k]))
            for e, r in zip(SHARES, WILD, strict=True)
        ]
        expected = sum(w / r**2 for w, r in zip(likely, WILD, strict=True)) / sum(likely)
        assert found[k] == pytest.approx(1.0 / expected, rel=1e-9)


def test_each_reading_is_predicted_from_the_others_by_doing_it_again_without_it():
    rng = np.random.default_rng(0)
    half = rng.standard_normal((7, 7))
    variance = rng.uniform(0.1, 0.5, 7)
    latent = half @ half.T
    K, y = latent + np.diag(variance), rng.standard_normal(7)
    residual, spread = cavity(np.linalg.inv(K), y, variance)
    for k in range(7):
        rest = np.arange(7) != k
        gain = K[k, rest] @ np.linalg.inv(K[np.ix_(rest, rest)])
        assert residual[k] == pytest.approx(y[k] - gain @ y[rest], abs=1e-9)
        assert spread[k] == pytest.approx(latent[k, k] - gain @ K[rest, k], abs=1e-9)


def test_nothing_is_held_against_readings_of_honest_noise():
    rng = np.random.default_rng(1)
    latent, noise = rng.uniform(0.0, 0.5, 20_000), rng.uniform(0.1, 0.2, 20_000)
    found = inflation(rng.standard_normal(20_000) * np.sqrt(latent + noise), latent, noise)
    assert np.median(found) < 1.02
    assert np.mean(found > HELD) < 1e-3


def test_where_the_property_itself_may_jump_no_reading_is_blamed():
    assert inflation(np.array([3.0]), np.array([2.0]), np.array([0.01]))[0] < 1.05
    assert inflation(np.array([3.0]), np.array([0.01]), np.array([0.01]))[0] > 50.0


def test_the_wildest_reading_is_finite():
    np.testing.assert_allclose(inflation(np.array([1e12, -1e12]), np.zeros(2), np.full(2, 1e-6)), 1e24)


@pytest.mark.parametrize("slip", [1e3, 1e6])
def test_a_slip_of_the_unit_in_one_reading_changes_little(slip):
    data, X = small_lab.dataset(6).canonical(), small_lab.probe(50)
    Y = data.Y.copy()
    Y[24] *= slip
    without = train(small_lab.problem(), data.take(np.delete(np.arange(len(data)), 24)), seed=0).surrogate.predict(X)
    bundle = train(small_lab.problem(), replace(data, Y=Y), seed=0)
    assert len(bundle.metrics["objectives"][0]["outliers"]) == 1
    found = bundle.surrogate.predict(X)
    assert (np.abs(found.mean - without.mean) < 0.5 * without.sd).all()
    assert np.mean(found.sd / without.sd) == pytest.approx(1.0, abs=0.2)
