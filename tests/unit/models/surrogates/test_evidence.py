import numpy as np
import pytest

from models.errors import FitFailed
from models.surrogates.evidence import CONSTANT_VARIANCE, NUGGET, Evidence, Readings, cholesky, symmetric_inverse
from models.surrogates.hyperparameters import Hyperparameters, log_prior, priors
from tests.oracles.gp_oracle import DenseFilmGP

NATURAL = np.array([0.4, 0.9, 2.0, 1.3, 0.05, 0.2])


def readings(known=0.5, n=12, seed=0):
    rng = np.random.default_rng(seed)
    variance = np.where(rng.random(n) < known, 0.03, np.nan)
    return Readings(rng.random((n, 3)), rng.standard_normal(n), variance, np.arange(n) // 4)


def oracle(data, h):
    noise = np.where(np.isnan(data.known_variance), h.noise_variance, data.known_variance) + NUGGET
    return DenseFilmGP(
        data.x, data.y, noise, data.film, h.lengthscales, h.output_variance, h.film_variance, CONSTANT_VARIANCE
    )


@pytest.mark.parametrize("known", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("film_variance", [0.0, 0.2])
def test_evidence_is_the_density_of_the_readings(known, film_variance):
    data = readings(known)
    h = Hyperparameters(NATURAL[:3], 1.3, 0.05, film_variance)
    assert Evidence(data)(h.theta())[0] == pytest.approx(oracle(data, h).log_evidence(), rel=1e-11)


@pytest.mark.parametrize("known", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("parameters", [5, 6])
def test_gradient_agrees_with_central_differences(known, parameters):
    evidence = Evidence(readings(known))
    theta = np.log(NATURAL[:parameters])
    step = 1e-5
    differences = [
        (evidence(theta + step * e)[0] - evidence(theta - step * e)[0]) / (2 * step) for e in np.eye(parameters)
    ]
    np.testing.assert_allclose(evidence(theta)[1], differences, rtol=1e-7, atol=1e-8)


def test_log_prior_gradient_agrees_with_central_differences():
    prior = priors(3, film_effect=True)
    theta = np.log(NATURAL)
    differences = [
        (log_prior(theta + 1e-5 * e, prior)[0] - log_prior(theta - 1e-5 * e, prior)[0]) / 2e-5 for e in np.eye(6)
    ]
    np.testing.assert_allclose(log_prior(theta, prior)[1], differences, rtol=1e-8)


def test_lengthscales_are_believed_longer_in_more_dimensions():
    assert priors(8, film_effect=False)[0].mean - priors(2, film_effect=False)[0].mean == pytest.approx(np.log(2.0))


@pytest.mark.parametrize("film", [0.0, 0.2])
def test_hyperparameters_survive_both_vectors(film):
    h = Hyperparameters(NATURAL[:3], 1.3, 0.05, film)
    for copy in (Hyperparameters.from_natural(h.natural(), 3), Hyperparameters.from_theta(h.theta(), 3)):
        np.testing.assert_allclose(copy.natural(), h.natural(), rtol=1e-14)


def test_cholesky_and_inverse():
    root = np.random.default_rng(0).standard_normal((6, 6))
    K = root @ root.T + np.eye(6)
    factor = cholesky(K)
    np.testing.assert_allclose(factor, np.linalg.cholesky(K), rtol=1e-12)
    np.testing.assert_allclose(symmetric_inverse(factor), np.linalg.inv(K), rtol=1e-10)


def test_singular_covariance_gets_jitter_and_an_indefinite_one_a_typed_error():
    ones = np.ones((5, 5))
    np.testing.assert_allclose(cholesky(ones) @ cholesky(ones).T, ones, atol=2e-4)
    for hopeless in (-np.eye(3), np.full((3, 3), np.nan), np.diag([1.0, np.inf, 1.0])):
        with pytest.raises(FitFailed):
            cholesky(hopeless)
