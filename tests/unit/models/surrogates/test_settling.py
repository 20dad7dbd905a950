from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from models.surrogates import settling
from models.surrogates.evidence import NUGGET, Evidence, Readings
from models.surrogates.hyperparameters import Hyperparameters, Layout
from models.surrogates.robust_fitting import RobustFit
from models.surrogates.settling import Settled, settle

H = Hyperparameters(np.array([0.4, 0.8]), 1.2, 0.01, 0.05)
NONE = np.zeros(40, dtype=np.int8)


def draw(seed=0, films=5, devices=8, *, wild=(), noise=0.01, h=H):
    """Readings from the model itself, those in `wild` off by 20 standard deviations of the noise."""
    rng = np.random.default_rng(seed)
    n = films * devices
    film = np.repeat(np.arange(films), devices)
    blank = Readings(rng.random((n, 2)), np.zeros(n), np.full(n, np.nan), film)
    covariance = Evidence(blank).covariance(replace(h, noise_variance=noise))[0]
    y = np.linalg.cholesky(covariance) @ rng.standard_normal(n)
    y[list(wild)] += 20.0 * np.sqrt(noise)
    return replace(blank, y=y)


def start(raw, side=NONE):
    return Settled.unsettled(raw, side)


@pytest.mark.parametrize("seed", range(4))
def test_wild_readings_are_found_and_sound_ones_believed(seed):
    raw = draw(seed, wild=(3, 21))
    found = settle(raw, NONE, H, start(raw), robust=True)
    assert np.flatnonzero(found.held()).tolist() == [3, 21]
    assert np.delete(found.inflation, [3, 21]).max() < 1.5
    assert found.inflation[[3, 21]].min() > 80.0


def test_where_none_is_wild_nothing_changes():
    for seed in range(4):
        raw = draw(seed)
        assert settle(raw, NONE, H, start(raw), robust=True).inflation.max() < 1.5
    same = settle(raw, NONE, H, start(raw), robust=False)
    np.testing.assert_array_equal(same.applied(raw).noise(H), raw.noise(H))


def brute_force(raw, side, h, at):
    """Mean of the latent f + b at rows `at` by weighing draws of the values at the one-sided readings."""
    q = side != 0
    K = Evidence(raw).covariance(h)[0].copy()
    latent = K - np.diag(raw.noise(h))
    inverse = np.linalg.inv(K[np.ix_(~q, ~q)])
    gain = latent[:, ~q] @ inverse
    mean, covariance = gain @ raw.y[~q], latent - gain @ latent[~q]
    rng = np.random.default_rng(0)
    g = rng.multivariate_normal(mean[q], covariance[np.ix_(q, q)], size=400_000)
    weight = norm.cdf(side[q] * (g - raw.y[q]) / np.sqrt(raw.noise(h)[q])).prod(axis=1)
    pull = covariance[np.ix_(at, np.flatnonzero(q))]
    back = pull @ np.linalg.inv(covariance[np.ix_(q, q)])
    return mean[at] + back @ (weight @ g / weight.sum() - mean[q])


def test_saturated_readings_say_at_least():
    """The three largest readings of a film all read the limit: what is believed there is what brute force says."""
    raw = draw(1)
    top = np.argsort(-raw.y)[:3]
    limit = raw.y[top].min() - 0.3
    side = NONE.copy()
    side[top] = 1
    clipped = replace(raw, y=np.minimum(raw.y, np.where(side == 1, limit, np.inf)))
    found = settle(clipped, side, H, start(clipped, side), robust=True)
    assert (found.site_variance[top] >= clipped.noise(H)[top] - NUGGET).all()
    data = found.applied(clipped)
    latent = Evidence(data).covariance(H)[0] - np.diag(data.noise(H))
    mean = latent @ np.linalg.solve(Evidence(data).covariance(H)[0], data.y)
    np.testing.assert_allclose(mean[top], brute_force(clipped, side, H, top), atol=0.05)
    assert (mean[top] > limit - 0.05).all()


def test_many_readings_are_weighed_in_parts_that_agree(monkeypatch):
    raw = draw(2, films=10, devices=8, wild=(5, 33, 70))
    none = np.zeros(80, dtype=np.int8)
    whole = settle(raw, none, H, start(raw, none), robust=True)
    monkeypatch.setattr(settling, "TOGETHER", 40)
    parts = settle(raw, none, H, start(raw, none), robust=True)
    assert np.flatnonzero(parts.held()).tolist() == np.flatnonzero(whole.held()).tolist() == [5, 33, 70]


def fitted(raw, side=NONE, *, robust=True):
    fit = RobustFit(raw, side, robust=robust, layout=Layout(2), seed=0, progress=lambda _phase: None)
    return fit(starts=4, previous=None)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_one_wild_reading_no_longer_moves_the_hyperparameters(seed):
    """With seeds 3 and 4 the plain fit explains the wild reading by a property that jumps, with 5 by noise."""
    raw = draw(seed, wild=(11,))
    raw.y[11] += 20.0 * 0.1
    plain, robust, honest = (
        found.fit.hyperparameters.theta() for found in (fitted(raw, robust=False), fitted(raw), fitted(draw(seed)))
    )
    assert np.abs(plain - honest).max() > 0.6
    assert np.abs(robust - honest).max() < 0.4
    settled = fitted(raw).settled
    assert np.flatnonzero(settled.held()).tolist() == [11]
    assert settled.inflation[11] > 80.0


def test_readings_that_are_never_wild_and_whole_are_fitted_as_ever():
    raw = draw(4)
    plain, robust = fitted(raw, robust=False), fitted(raw)
    np.testing.assert_allclose(robust.fit.hyperparameters.theta(), plain.fit.hyperparameters.theta(), atol=0.05)


def test_a_part_of_a_large_dataset_may_be_saturated_throughout(monkeypatch):
    raw = draw()
    side = np.where(raw.film == 1, 1, 0).astype(np.int8)
    monkeypatch.setattr(settling, "TOGETHER", 10)
    found = settle(raw, side, H, start(raw, side), robust=True)
    prior_sd = np.sqrt(np.diag(Evidence(raw).covariance(H)[0]))
    assert (np.isnan(found.site) == (side == 0)).all()
    assert (np.abs(found.site) < 5.0 * prior_sd)[side > 0].all()
    assert (found.site_variance[side > 0] >= raw.noise(H)[side > 0]).all()
