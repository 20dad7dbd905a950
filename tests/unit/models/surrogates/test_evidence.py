from dataclasses import replace

import numpy as np
import pytest

from models.errors import FitFailed
from models.surrogates.evidence import (
    CONSTANT_VARIANCE,
    NUGGET,
    SAMPLE_VARIANCE,
    Evidence,
    Readings,
    cholesky,
    symmetric_inverse,
)
from models.surrogates.hyperparameters import Hyperparameters, Layout, log_prior, priors
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


FULL = Hyperparameters(
    NATURAL[:3],
    1.3,
    0.05,
    0.2,
    drift_variance=0.4,
    drift_time=0.3,
    noise_spread=1.5,
    noise_weights=np.array([0.5, -1.0]),
)


def full(n=14):
    """Readings of three films and of a calibration sample, with drift and noise that varies, some of it stated."""
    rng = np.random.default_rng(4)
    plain = readings(known=0.4, n=n, seed=3)
    sample = np.where(np.arange(n) % 5 == 0, 7, -1)
    material = sample < 0
    return replace(
        plain,
        film=np.where(material, plain.film, 9),
        inflation=1.0 + rng.random(n),
        added=0.1 * rng.random(n),
        features=rng.standard_normal((n, 2)) * material[:, None],
        time=rng.random(n),
        sample=sample,
        stated=rng.random(n),
        degrees=np.where(rng.random(n) < 0.5, 3.0, 0.0),
    )


def test_drift_samples_and_varying_noise_enter_as_dense_algebra_says():
    data, h = full(), FULL
    own = h.noise_variance * np.exp(h.noise_spread * (data.features @ h.noise_weights))
    noise = data.inflation * np.where(np.isnan(data.known_variance), own, data.known_variance) + data.added + NUGGET
    dense = DenseFilmGP(
        data.x,
        data.y,
        noise,
        data.film,
        h.lengthscales,
        h.output_variance,
        h.film_variance,
        CONSTANT_VARIANCE,
        time=data.time,
        drift_variance=h.drift_variance,
        drift_time=h.drift_time,
        sample=data.sample,
        sample_variance=SAMPLE_VARIANCE,
    )
    stated = sum(-0.5 * nu * (np.log(m) + s / m) for nu, m, s in zip(data.degrees, own, data.stated, strict=True))
    value = Evidence(data, h.layout())(h.theta())[0]
    assert value == pytest.approx(dense.log_evidence() + stated, rel=1e-10)


@pytest.mark.parametrize("film_effect", [False, True])
@pytest.mark.parametrize("drift", [False, True])
@pytest.mark.parametrize("weights", [0, 2])
def test_gradient_of_every_layout_agrees_with_central_differences(film_effect, drift, weights):
    layout = Layout(3, film_effect=film_effect, drift=drift, weights=weights, noise_spread=1.5 * (weights > 0))
    evidence = Evidence(full(), layout)
    theta = np.concatenate([np.log(NATURAL[: 5 + film_effect]), [-0.9, -1.2] * drift, [0.5, -1.0][:weights]])
    assert len(theta) == len(layout.priors())
    differences = [(evidence(theta + 1e-5 * e)[0] - evidence(theta - 1e-5 * e)[0]) / 2e-5 for e in np.eye(len(theta))]
    np.testing.assert_allclose(evidence(theta)[1], differences, rtol=1e-6, atol=1e-7)


def test_information_of_the_noise_is_the_mean_curvature_over_readings():
    """Fisher's: the covariance of the slopes over readings that the model itself draws, and what is stated besides."""
    data = replace(full(), known_variance=np.full(14, np.nan))

    _, information = Evidence(data, FULL.layout()).noise_information(FULL)
    factor = np.linalg.cholesky(Evidence(data, FULL.layout()).covariance(FULL)[0])
    slopes = []
    for white in np.random.default_rng(0).standard_normal((3000, 14)):
        slope, _ = Evidence(replace(data, y=factor @ white), FULL.layout()).noise_information(FULL)
        slopes.append(slope)
    covariance = np.cov(np.array(slopes).T)
    stated = np.diag(0.5 * data.degrees)
    np.testing.assert_allclose(information - stated, covariance, atol=0.12 * np.abs(covariance).max())


def test_log_prior_gradient_agrees_with_central_differences():
    prior = priors(3, film_effect=True)
    theta = np.log(NATURAL)
    differences = [
        (log_prior(theta + 1e-5 * e, prior)[0] - log_prior(theta - 1e-5 * e, prior)[0]) / 2e-5 for e in np.eye(6)
    ]
    np.testing.assert_allclose(log_prior(theta, prior)[1], differences, rtol=1e-8)


def test_lengthscales_are_believed_longer_in_more_dimensions():
    assert priors(8, film_effect=False)[0].mean - priors(2, film_effect=False)[0].mean == pytest.approx(np.log(2.0))


def test_hyperparameters_of_every_kind_survive_both_vectors():
    for h in (FULL, replace(FULL, film_variance=0.0), replace(FULL, noise_spread=0.0, noise_weights=np.empty(0))):
        for copy in (Hyperparameters.from_natural(h.natural(), 3), h.layout().hyperparameters(h.theta())):
            np.testing.assert_allclose(copy.natural(), h.natural(), rtol=1e-14)
    np.testing.assert_array_equal(FULL.padded(5).noise_weights, [0.5, -1.0, 0.0, 0.0, 0.0])


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
