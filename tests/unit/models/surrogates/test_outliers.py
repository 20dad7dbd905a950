import numpy as np
import pytest
from scipy.stats import norm

from models.surrogates.outliers import SHARE, WILD, cavity, doubt


def test_the_probability_is_bayes_rule_and_the_factor_the_mean_precision():
    residual, latent, noise = np.array([0.1, 0.5, -0.9]), np.array([0.02, 0.0, 0.1]), np.array([0.01, 0.02, 0.01])
    sound = (1.0 - SHARE) * norm.pdf(residual, 0.0, np.sqrt(latent + noise))
    wild = SHARE * norm.pdf(residual, 0.0, np.sqrt(latent + WILD**2 * noise))
    found = doubt(residual, latent, noise)
    np.testing.assert_allclose(found.probability, wild / (sound + wild), rtol=1e-10)
    expected = found.probability / WILD**2 + (1.0 - found.probability)
    np.testing.assert_allclose(found.inflation, 1.0 / expected, rtol=1e-10)


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
    found = doubt(rng.standard_normal(20_000) * np.sqrt(latent + noise), latent, noise)
    assert np.mean(found.inflation) < 1.01
    assert np.mean(found.probability > 0.5) < 1e-3


def test_where_the_property_itself_may_jump_no_reading_is_blamed():
    assert doubt(np.array([3.0]), np.array([2.0]), np.array([0.01])).inflation[0] < 1.05
    assert doubt(np.array([3.0]), np.array([0.01]), np.array([0.01])).inflation[0] > 50.0


def test_the_wildest_reading_is_finite():
    found = doubt(np.array([1e12, -1e12]), np.zeros(2), np.array([1e-6, 1e-6]))
    np.testing.assert_allclose(found.probability, 1.0)
    np.testing.assert_allclose(found.inflation, WILD**2)
