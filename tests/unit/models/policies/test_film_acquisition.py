import numpy as np
import pytest
import torch

from models.catalog import ExpectedImprovement
from models.composition import SearchSpace
from models.film import Film, FilmGeometry
from models.policies.film_acquisition import MOST_DEVICES, FilmImprovement, device_subset
from models.tensors import to_array, to_tensor
from tests.oracles import film_lab
from tests.oracles.ei_quadrature import gain_over_best, gain_over_one

PROBLEM = film_lab.problem_of(SearchSpace(elements=("A", "B", "C")), FilmGeometry(devices=5), ExpectedImprovement())
S = np.linspace(0.0, 1.0, 5)


def straight(a, b, s=S):
    return Film(np.array(a), np.array(b), np.empty(0), s)


FILMS = [straight([0.8, 0.1, 0.1], [0.2, 0.5, 0.3]), straight([0.1, 0.3, 0.6], [0.3, 0.6, 0.1])]
NEW = straight([0.5, 0.1, 0.4], [0.1, 0.35, 0.55]).points()


def fitted(**beliefs):
    return film_lab.surrogate(PROBLEM, film_lab.measured(PROBLEM, FILMS), **beliefs)


def acquisition(model, reference, *, draws=4096, devices=5):
    return FilmImprovement(model.latents(), to_tensor(reference), devices=devices, draws=draws, seed=3)


@pytest.mark.parametrize("row", range(5))
def test_one_device_against_one_point_is_the_quadrature(row):
    model = fitted()
    reference, x = model.state.X[[7]], NEW[[row]]
    expected = gain_over_one(*film_lab.dense(model, np.vstack([reference, x])))
    gain = acquisition(model, reference)
    draws = to_array(gain.improvements(to_tensor(x)[None]).clamp_min(0.0))[0]
    assert gain.gain(to_tensor(x)[None]).item() == pytest.approx(expected, abs=4 * draws.std() / 64 + 1e-4)


@pytest.mark.parametrize("pending", [0, 5])
def test_a_film_against_many_points_is_the_brute_force(pending):
    model = fitted()
    in_flight = straight([0.6, 0.2, 0.2], [0.1, 0.1, 0.8]).points()[:pending]
    reference = np.vstack([model.state.X, in_flight])
    mean, covariance = film_lab.dense(model, np.vstack([reference, NEW]))
    expected, error = gain_over_best(mean, covariance, len(reference), draws=200_000, seed=1)
    gain = acquisition(model, reference).gain(to_tensor(NEW)[None]).item()
    assert expected > 20 * error
    assert gain == pytest.approx(expected, rel=0.03, abs=5 * error)


def test_more_devices_never_gain_less():
    acq = acquisition(fitted(), FILMS[0].points(), draws=256)
    gains = [acq.gain(to_tensor(NEW[:k])[None]).item() for k in range(1, 6)]
    assert gains == sorted(gains)


def test_a_film_in_flight_leaves_less_to_gain_beside_it():
    model = fitted()
    alone = acquisition(model, model.state.X).gain(to_tensor(NEW)[None]).item()
    beside = (
        acquisition(model, np.vstack([model.state.X, NEW + np.array([1e-3, -1e-3, 0.0])]))
        .gain(to_tensor(NEW)[None])
        .item()
    )
    assert beside < 0.2 * alone


def test_the_gradient_is_the_slope():
    acq = acquisition(fitted(), fitted().state.X, draws=256)
    X = to_tensor(NEW)[None].requires_grad_()
    (gradient,) = torch.autograd.grad(acq.value(X)[0], X)
    step = 1e-6
    for k, j in [(0, 0), (2, 1), (4, 2)]:
        shift = torch.zeros_like(X)
        shift[0, k, j] = step
        slope = (acq.value(X + shift) - acq.value(X - shift)).item() / (2 * step)
        assert gradient[0, k, j].item() == pytest.approx(slope, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0.4, 0.3, 0.3], [0.4, 0.3, 0.3]),
        ([0.4, 0.3, 0.3], [0.4 + 1e-9, 0.3 - 1e-9, 0.3]),
        ([0.8, 0.1, 0.1], [0.2, 0.5, 0.3]),
    ],
)
def test_value_and_gradient_are_finite_for_uniform_repeated_and_neighbouring_devices(a, b):
    acq = acquisition(fitted(noise=1e-8), np.vstack([f.points() for f in FILMS]), draws=64)
    X = to_tensor(straight(a, b).points())[None].requires_grad_()
    value = acq.value(X)
    (gradient,) = torch.autograd.grad(value.sum(), X)
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()


def test_value_and_gradient_are_finite_where_nothing_is_left_to_gain():
    """A model that is sure, and a film at its worst reading: the gain is 0 in every draw."""
    model = fitted(output=1e-3, noise=1e-4, film=0.0)
    worst = model.state.X[[int(np.argmin(model.state.Y[:, 0]))] * 5]
    acq = acquisition(model, model.state.X, draws=64)
    X = to_tensor(worst)[None].requires_grad_()
    (gradient,) = torch.autograd.grad(acq.value(X).sum(), X)
    assert acq.gain(X).item() == 0.0
    assert torch.isfinite(acq.value(X)).all()
    assert torch.isfinite(gradient).all()


def test_two_readings_are_enough():
    two = film_lab.measured(PROBLEM, [straight([0.8, 0.1, 0.1], [0.2, 0.5, 0.3], S[[0, 4]])])
    model = film_lab.surrogate(PROBLEM, two)
    assert acquisition(model, two.X, draws=64).gain(to_tensor(NEW)[None]).item() > 0.0


def test_the_same_seed_draws_the_same_numbers():
    model = fitted()
    X = to_tensor(NEW)[None]
    one, same = (acquisition(model, model.state.X, draws=64).value(X).item() for _ in range(2))
    assert one == same


@pytest.mark.parametrize("devices", [1, 2, 13, 16, 17, 200])
def test_at_most_sixteen_devices_enter_and_the_ends_are_among_them(devices):
    subset = device_subset(devices)
    assert len(subset) == min(devices, MOST_DEVICES)
    assert (subset[0], subset[-1]) == (0, devices - 1)
