from dataclasses import replace

import numpy as np
import pytest
import torch

from models.catalog import FilmGP, NoiseModel
from models.checkpoint import from_bytes, to_bytes
from models.surrogates.composition_error import composition_variance, mean_gradient
from models.surrogates.predictor import Predictor
from models.tensors import to_tensor
from models.train import train
from tests.oracles import noisy_lab, small_lab

SD = 0.02
"""Two atomic per cent: coarse, so that it shows beside few readings."""
PROBE = small_lab.probe(200, seed=3)


def problem(sd):
    noise = NoiseModel(heteroscedastic=False, outliers="none", composition_sd=sd)
    return small_lab.problem().model_copy(update={"surrogate": FilmGP(noise=noise, averaging=1)})


@pytest.fixture(scope="module")
def steep():
    return noisy_lab.with_wrong_composition(12, steepness=8.0, sd=SD)


@pytest.fixture(scope="module")
def aware(steep):
    return train(problem(SD), steep[0], seed=0)


def test_gradient_is_that_of_the_posterior_mean(aware):
    """By central differences of predictions; the weights are those of an explicit inverse."""
    surrogate = aware.surrogate
    s, h = surrogate.state, surrogate.hyperparameters[0]
    data = s.readings(0)
    distance = np.sqrt(5.0 * (((data.x[:, None] - data.x) / h.lengthscales) ** 2).sum(-1))
    K = 1.0 + h.output_variance * (1.0 + distance + distance**2 / 3.0) * np.exp(-distance)
    K += h.film_variance * (data.film[:, None] == data.film) + np.diag(data.noise(h))
    x = s.scaled(PROBE[:5])
    gradient = mean_gradient(x / h.lengthscales, data.x / h.lengthscales, np.linalg.solve(K, data.y), h)
    steps = 1e-5 * np.eye(4)
    ahead, behind = (
        np.array([[surrogate.predict((p + sign * e)[None] * s.width + s.lower).mean[0, 0] for e in steps] for p in x])
        for sign in (1.0, -1.0)
    )
    np.testing.assert_allclose(gradient, (ahead - behind) / 2e-5 / s.scale[0], rtol=1e-4, atol=1e-6)


def test_variance_is_that_of_drawn_errors():
    rng = np.random.default_rng(0)
    gradient, width = rng.standard_normal((6, 4)), np.array([0.5, 1.0, 0.8, 2.0])
    wrong = SD * rng.standard_normal((400_000, 3))
    wrong -= wrong.mean(1, keepdims=True)
    drawn = (wrong @ (gradient[:, :3] / width[:3]).T).var(0)
    np.testing.assert_allclose(composition_variance(gradient[:, :3] / width[:3], SD), drawn, rtol=0.02)


def test_what_is_added_is_how_far_the_property_itself_would_scatter(steep, aware):
    """Monte-Carlo of the true property at fractions that are misread again and again."""
    truth = steep[1]
    s, rng = aware.surrogate.state, np.random.default_rng(1)
    wrong = SD * rng.standard_normal((2000, 1, 3))
    wrong -= wrong.mean(2, keepdims=True)
    X = np.repeat(s.X[None], 2000, axis=0)
    X[..., :3] += wrong
    scatter = truth(X.reshape(-1, 4)).reshape(2000, -1).std(0)
    steepest = scatter > np.median(scatter)
    ratio = np.sqrt(s.added[:, 0]) / scatter
    assert np.mean((ratio[steepest] > 0.7) & (ratio[steepest] < 1.4)) > 0.9
    assert np.median(np.sqrt(s.added[~steepest, 0])) < 0.6 * np.median(np.sqrt(s.added[steepest, 0]))


def test_readings_to_come_are_told_to_scatter_by_it_too(steep, aware):
    """Near what was read; far from it nobody knows how steep the property is."""
    surrogate, truth = aware.surrogate, steep[1]
    near = surrogate.state.X[::3] + 1e-3 * np.array([1.0, -1.0, 0.0, 1.0])
    wrong = SD * np.random.default_rng(2).standard_normal((2000, 1, 3))
    X = np.repeat(near[None], 2000, axis=0)
    X[..., :3] += wrong - wrong.mean(2, keepdims=True)
    scatter = truth(X.reshape(-1, 4)).reshape(2000, -1).std(0)
    (latent,) = surrogate.latents()
    told = latent.scale * np.sqrt(latent.noise(to_tensor(near), None).numpy())
    steepest = scatter > np.median(scatter)
    own = surrogate.noise_sd[0]
    ratio = told[steepest] / np.hypot(scatter[steepest], own)
    assert np.mean((ratio > 0.7) & (ratio < 1.4)) > 0.9
    said = Predictor.from_arrays(surrogate.arrays()).predict(near).noise_sd[:, 0]
    np.testing.assert_allclose(said, told, rtol=1e-8)
    X = to_tensor(near[:2]).requires_grad_()
    assert torch.autograd.gradcheck(lambda points: latent.noise(points, None), (X,))
    at_reading = to_tensor(surrogate.state.X[:1]).requires_grad_()
    (slope,) = torch.autograd.grad(latent.noise(at_reading, None).sum(), at_reading)
    assert torch.isfinite(slope).all()


def test_steep_readings_count_less_and_predictions_know_it():
    """Mean over labs: the property is better known, and its intervals are no longer too narrow where it is flat."""
    gains = []
    for seed in range(4):
        data, truth = noisy_lab.with_wrong_composition(8, steepness=8.0, sd=SD, seed=seed)
        densities = []
        for sd in (0.0, SD):
            mean, spread = (part[:, 0] for part in train(problem(sd), data, seed=0).surrogate.predict(PROBE))
            z = (truth(PROBE) - mean) / spread
            densities.append(np.mean(-0.5 * z**2 - np.log(spread)))
        gains.append(densities[1] - densities[0])
    assert np.mean(gains) > 0.05


def test_without_an_error_nothing_is_added_and_with_one_it_is_kept(steep, aware):
    data, _ = steep
    assert not train(problem(0.0), data, seed=0).surrogate.state.added.size
    copy = from_bytes(to_bytes(aware), problem(SD), data).surrogate
    np.testing.assert_array_equal(copy.predict(PROBE).mean, aware.surrogate.predict(PROBE).mean)
    again = aware.surrogate.condition(problem(SD), data.canonical())
    np.testing.assert_allclose(again.state.added, aware.surrogate.state.added, rtol=1e-6)
    fewer = aware.surrogate.condition(problem(SD), data.take(np.arange(60)).canonical())
    assert fewer.state.added.shape == (60, 1)
    assert (fewer.state.added > 0.0).all()


def test_a_calibration_sample_has_no_composition_to_misread():
    films, both, _ = noisy_lab.with_drift(4)
    state = train(problem(SD), both, seed=0).surrogate.state
    assert (state.added[state.calibration] == 0.0).all()
    assert (state.added[~state.calibration] > 0.0).all()
    assert len(films) == (~state.calibration).sum()
    assert replace(state, added=np.empty((0, 0))).readings(0).added == 0.0
