import numpy as np
import pytest

from models.surrogates.diagnostics import CURVE, calibration, film_residuals, leave_film_out, reliability
from tests.oracles.gp_oracle import DenseFilmGP


def test_leaving_a_film_out_is_the_fit_without_it():
    rng = np.random.default_rng(0)
    film = np.array([0, 0, 0, 2, 2, 5, 5, 5, 5, 2])
    noise = rng.uniform(0.01, 0.1, 10)
    oracle = DenseFilmGP(rng.random((10, 2)), rng.standard_normal(10), noise, film, np.array([0.4, 0.8]), 1.2, 0.3, 1.0)
    mean, sd = leave_film_out(np.linalg.inv(oracle.reading_covariance()), oracle.y, film)
    for number in (0, 2, 5):
        expected_mean, expected_sd = oracle.without_film(number)
        np.testing.assert_allclose(mean[film == number], expected_mean, atol=1e-9)
        np.testing.assert_allclose(sd[film == number], expected_sd, atol=1e-9)


def test_calibration_counts_and_density():
    z = np.array([0.1, 0.6, -0.7, 1.7, -2.5])
    report = calibration(3.0 + 2.0 * z, np.full(5, 3.0), np.full(5, 2.0))
    assert (report["coverage_50"], report["coverage_90"], report["coverage_95"]) == (0.4, 0.6, 0.8)
    expected = np.mean(-0.5 * z**2) - 0.5 * np.log(2 * np.pi) - np.log(2.0)
    assert report["log_density"] == pytest.approx(expected)


def test_calibration_of_honest_intervals_is_their_level():
    rng = np.random.default_rng(1)
    sd = rng.uniform(0.5, 2.0, 4000)
    report = calibration(rng.standard_normal(4000) * sd, np.zeros(4000), sd)
    for level in (50, 90, 95):
        assert report[f"coverage_{level}"] == pytest.approx(level / 100, abs=0.03)


def test_a_mixture_is_ranked_and_weighed_as_one_distribution():
    """One reading in ten has ten times the noise: the mixture of both is honest, the sound part alone is not."""
    rng = np.random.default_rng(2)
    y = np.where(rng.random(20_000) < 0.9, 1.0, 10.0) * rng.standard_normal(20_000)
    mean, sd = np.zeros((2, 20_000)), np.repeat([[1.0], [10.0]], 20_000, axis=1)
    weights = np.array([0.9, 0.1])
    report = calibration(y, mean, sd, weights)
    for level in (50, 90, 95):
        assert report[f"coverage_{level}"] == pytest.approx(level / 100, abs=0.02)
    assert report["log_density"] > calibration(y, mean[0], sd[0])["log_density"] + 0.5
    told = reliability(y, mean, sd, weights)
    assert told["readings"] == sum(told["ranks"]) == 20_000
    assert np.abs(np.array(told["ranks"]) - 2000).max() < 200
    np.testing.assert_allclose([inside for _, inside in told["reliability"]], CURVE, atol=0.02)


def test_the_oddest_film_comes_first():
    y, film = np.array([0.1, -0.1, 2.0, 2.0, 3.0]), np.array([4, 4, 1, 1, 1])
    first, second = film_residuals(y, np.zeros(5), np.full(5, 0.5), film)
    assert (first["film"], first["readings"], second["film"]) == (1, 3, 4)
    assert first["mean_residual"] == pytest.approx(7 / 3)
    assert first["rms_z"] == pytest.approx(np.sqrt((16 + 16 + 36) / 3))
