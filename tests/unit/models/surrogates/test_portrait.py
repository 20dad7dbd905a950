"""What charts of a model are drawn from, against dense algebra with film effects and drift as explicit unknowns."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from models.surrogates import portrait as portraits
from models.train import train
from tests.oracles import small_lab


def fitted(direction="maximise", films=4):
    problem, data = small_lab.problem(direction=direction), small_lab.dataset(films, seed=3)
    data = replace(data, films=np.array([f"flm_{name}" for name in data.films]))
    return problem, data, train(problem, data, seed=1).surrogate


def prior(model, h, points):
    z = (points - model.state.lower) / model.state.width / h.lengthscales
    s = np.sqrt(5.0) * cdist(z, z)
    return h.output_variance * (1.0 + s + s**2 / 3.0) * np.exp(-s) + 1.0


@pytest.mark.parametrize("direction", ["maximise", "minimise"])
def test_film_effects_are_those_of_the_joint_normal_of_effects_and_readings(direction):
    problem, data, model = fitted(direction)
    (drawn,) = model.portrait(problem, data)
    state, sign = model.state, 1.0 if direction == "maximise" else -1.0
    known, y = data.canonical(), (state.Y[:, 0] - state.centre[0]) / state.scale[0]
    moments = []
    for h in state.sets(0):
        noise = np.diag(state.readings(0).noise(h))
        same = (known.films[:, None] == known.films) * h.film_variance
        K = prior(model, h, state.X) + same + noise
        across = h.film_variance * (known.films[:, None] == np.array(drawn.film_effects.film))
        solved = np.linalg.solve(K, np.column_stack([y, across]))
        moments.append((across.T @ solved[:, 0], h.film_variance - np.sum(across * solved[:, 1:], axis=0)))
    mean, variance = (np.array(m) for m in zip(*moments, strict=True))
    scale = state.scale[0]
    np.testing.assert_allclose(drawn.film_effects.mean, sign * scale * mean.mean(0), atol=1e-7)
    np.testing.assert_allclose(drawn.film_effects.sd, scale * np.sqrt(variance.mean(0) + mean.var(0)), rtol=1e-6)
    first_read = [known.times[known.films == name].min() for name in drawn.film_effects.film]
    assert first_read == sorted(first_read)


def test_held_out_readings_are_predicted_without_their_film():
    problem, data, model = fitted("minimise")
    (drawn,) = model.portrait(problem, data)
    state, known = model.state, data.canonical()
    y = (state.Y[:, 0] - state.centre[0]) / state.scale[0]
    held = known.films == known.films[0]
    means, variances = [], []
    for h in state.sets(0):
        noise = state.readings(0).noise(h)
        K = prior(model, h, state.X) + (known.films[:, None] == known.films) * h.film_variance + np.diag(noise)
        solved = np.linalg.solve(K[np.ix_(~held, ~held)], np.column_stack([y[~held], K[np.ix_(~held, held)]]))
        across = K[np.ix_(~held, held)]
        means.append(across.T @ solved[:, 0])
        variances.append(np.diag(K)[held] - np.sum(across * solved[:, 1:], axis=0))
    mean, sd = np.mean(means, axis=0), np.sqrt(np.mean(variances, axis=0) + np.var(means, axis=0))
    rows = [k for k, name in enumerate(drawn.held_out.film) if name == known.films[0]]
    assert drawn.held_out.of == len(drawn.held_out.film) == len(y)
    back = -(state.centre[0] + state.scale[0] * mean)
    np.testing.assert_allclose(np.array(drawn.held_out.mean)[rows], back, rtol=1e-6)
    np.testing.assert_allclose(np.array(drawn.held_out.measured)[rows], known.Y[held, 0], rtol=1e-12)
    # A reading that is held for wild is predicted with the noise of a sound one: none is here.
    np.testing.assert_allclose(np.array(drawn.held_out.sd)[rows], state.scale[0] * sd, rtol=1e-5)


def test_drift_starts_at_nothing_and_follows_the_calibration_sample():
    problem, data, _ = fitted()
    samples, step = 8, 0.5
    times = np.linspace(data.times.min() - 1.0, data.times.max(), samples)
    more = replace(
        data,
        X=np.vstack([data.X, np.tile(data.X[:1], (samples, 1))]),
        Y=np.concatenate([data.Y, 7.0 + step * np.arange(samples)[:, None]]),
        Yvar=np.concatenate([data.Yvar, np.full((samples, 1), 1e-4)]),
        films=np.concatenate([data.films, np.full(samples, "coupon")]),
        times=np.concatenate([data.times, times]),
        names=np.concatenate([data.names, [f"c{k}" for k in range(samples)]]),
        positions=np.concatenate([data.positions, np.full(samples, np.nan)]),
        replicates=np.ones((len(data.Y) + samples, 1)),
        censored=np.zeros((len(data.Y) + samples, 1), dtype=np.int8),
        dead=np.zeros(len(data.Y) + samples, dtype=bool),
        calibration=np.r_[np.zeros(len(data.Y), dtype=bool), np.ones(samples, dtype=bool)],
        sources=np.full(len(data.Y) + samples, ""),
    )
    (drawn,) = train(problem, more, seed=1).surrogate.portrait(problem, more)
    drift = drawn.drift
    assert drift.mean[0] == drift.sd[0] == 0.0
    assert drift.time[0] == pytest.approx(times[0])
    followed = np.interp(times, drift.time, drift.mean)
    np.testing.assert_allclose(followed, step * np.arange(samples), atol=0.15)
    assert "coupon" not in drawn.film_effects.film
    assert "coupon" not in drawn.held_out.film


def test_the_worst_predicted_readings_are_always_shown():
    z = np.abs(np.random.default_rng(0).standard_normal(5000))
    kept = portraits._telling(z)
    assert len(kept) <= portraits.READINGS
    assert set(np.argsort(-z)[: portraits.WORST]) <= set(kept.tolist())
    assert set(np.diff(kept)) != {1}


def test_one_film_has_no_other_to_be_predicted_from():
    problem, data, model = fitted(films=1)
    assert model.portrait(problem, data)[0].held_out is None


def test_a_sparse_posterior_tells_the_same_film_effects_and_drift(monkeypatch):
    """With as many inducing points as readings nothing is left out."""
    problem, data, model = fitted()
    (exact,) = model.portrait(problem, data)
    monkeypatch.setattr("models.surrogates.conditioning.EXACT", 1)
    (sparse,) = type(model)(model.state).portrait(problem, data)
    np.testing.assert_allclose(sparse.film_effects.mean, exact.film_effects.mean, atol=1e-4)
    np.testing.assert_allclose(sparse.film_effects.sd, exact.film_effects.sd, rtol=1e-3)
