import numpy as np
import pytest

from models.surrogates.diagnostics import calibration, leave_film_out
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
