import numpy as np
import pytest
import torch
from scipy.stats import norm

from models.surrogates.torch_yield import survival_of
from models.surrogates.yield_model import YieldModel, devices_seen
from models.tensors import to_array, to_tensor

NOWHERE = np.array([np.nan])


def devices(count, chance, seed):
    """Devices in the unit square with a position each; `chance(x, t)` of them work."""
    rng = np.random.default_rng(seed)
    x, t = rng.random((count, 2)), rng.random(count)
    return x, t, rng.random(count) < chance(x, t)


def test_few_devices_leave_the_rate_of_the_lab():
    x, t, alive = devices(13, lambda x, t: np.ones(13), seed=0)
    alive[4] = False
    model = YieldModel.fit(x, t, alive)
    grid = np.random.default_rng(1).random((50, 2))
    chance = model.probability(grid, np.linspace(0, 1, 50))
    assert model.rate == pytest.approx((12 + 9.5) / 23)
    assert np.abs(chance - model.rate).max() < 0.05


def test_deaths_by_chance_teach_nothing_but_their_rate():
    x, t, alive = devices(400, lambda x, t: np.full(400, 0.9), seed=2)
    chance = YieldModel.fit(x, t, alive).probability(x, t)
    assert chance.min() > 0.8
    assert chance.mean() == pytest.approx(alive.mean(), abs=0.02)


def test_a_region_and_a_place_where_devices_die_are_found():
    def truth(x, t):
        return np.where(x[:, 0] > 0.6, 0.2, 0.97) * np.where(t > 0.8, 0.3, 1.0)

    x, t, alive = devices(300, truth, seed=3)
    model = YieldModel.fit(x, t, alive)
    chance = model.probability(np.array([[0.1, 0.5], [0.9, 0.5], [0.1, 0.5]]), np.array([0.3, 0.3, 0.97]))
    assert chance[0] > 0.9
    assert chance[1] < 0.35
    assert chance[2] < 0.6
    assert model.probability(np.array([[0.1, 0.5]]), NOWHERE)[0] > chance[2]


def test_far_from_all_devices_the_rate_of_the_lab_returns():
    x, t, alive = devices(200, lambda x, t: np.where(x[:, 0] > 0.5, 0.1, 1.0), seed=4)
    model = YieldModel.fit(x, t, alive)
    assert model.probability(np.array([[60.0, 60.0]]), NOWHERE)[0] == pytest.approx(model.rate, abs=0.01)


def test_it_is_the_posterior_of_brute_force():
    """Many draws of the weights from their prior, weighed by the devices; few devices, so that they suffice."""
    x, t, alive = devices(25, lambda x, t: np.where(x[:, 0] > 0.5, 0.3, 1.0), seed=5)
    model = YieldModel.fit(x, t, alive)
    assert model.variance > 0.0
    rng = np.random.default_rng(0)
    probe, where = rng.random((4, 2)), rng.random(4)
    seen, asked = model.features(x, t), model.features(probe, where)
    w = rng.standard_normal((seen.shape[1], 60_000))
    weight = norm.cdf(np.where(alive, 1.0, -1.0)[:, None] * (model.intercept + seen @ w)).prod(axis=0)
    left = np.sqrt(1.0 + model.variance - (asked * asked).sum(1))[:, None]
    expected = norm.cdf((model.intercept + asked @ w) / left) @ weight / weight.sum()
    # Laplace's formula puts a Gaussian at the mode; with 25 devices it is off by a few percent.
    np.testing.assert_allclose(model.probability(probe, where), expected, atol=0.05)


def test_torch_says_the_same_and_its_gradient_is_the_slope():
    x, t, alive = devices(200, lambda x, t: np.where(x[:, 0] > 0.6, 0.2, 0.95) * np.where(t > 0.8, 0.3, 1.0), seed=6)
    model = YieldModel.fit(x, t, alive)
    assert model.a_x > 0.0
    assert model.a_t > 0.0
    lower, width = np.array([0.1, 0.2]), np.array([0.5, 2.0])
    survival = survival_of(model, lower, width)
    films = to_tensor((lower + width * x[:12]).reshape(3, 4, 2)).requires_grad_()
    places = np.array([0.0, 0.4, 0.8, 1.0])
    chance = survival(films, to_tensor(places))
    np.testing.assert_allclose(to_array(chance).ravel(), model.probability(x[:12], np.tile(places, 3)), atol=1e-10)
    unknown = survival(films, None)
    np.testing.assert_allclose(to_array(unknown).ravel(), model.probability(x[:12], np.full(12, np.nan)), atol=1e-10)
    (gradient,) = torch.autograd.grad(chance.sum(), films)
    step = torch.zeros_like(films)
    step[1, 2, 0] = 1e-6
    with torch.no_grad():
        slope = (
            survival(films + step, to_tensor(places)).sum() - survival(films - step, to_tensor(places)).sum()
        ) / 2e-6
    assert gradient[1, 2, 0].item() == pytest.approx(slope.item(), rel=1e-4)


def test_only_dead_devices_and_only_living_ones_are_finite():
    x, t, _ = devices(40, lambda x, t: np.ones(40), seed=7)
    all_dead, none = (YieldModel.fit(x, t, np.full(40, alive)).probability(x, t) for alive in (False, True))
    assert (all_dead < 0.35).all()
    assert (none > 0.95).all()
    assert np.isfinite(all_dead).all()


def test_a_device_with_several_readings_counts_once_and_is_dead_if_any_says_so():
    X = np.array([[0.1], [0.1], [0.1], [0.2]])
    rows, alive = devices_seen(
        X, np.array([0, 0, 1, 0]), np.array([0.5, 0.5, 0.5, np.nan]), np.array([0, 1, 0, 0], bool)
    )
    assert sorted(zip(X[rows, 0].tolist(), alive.tolist(), strict=True)) == [(0.1, False), (0.1, True), (0.2, True)]
