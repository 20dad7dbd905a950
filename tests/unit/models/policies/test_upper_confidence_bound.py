import numpy as np
import pytest
import torch

from models.policies.upper_confidence_bound import FilmBound
from models.tensors import to_tensor
from tests.oracles.dense_process import draws, mean_and_error
from tests.oracles.small_campaign import AWKWARD, NEW, fitted


def bound(model, *, beta=4.0, count=4096, devices=5):
    return FilmBound(model.latents(), to_tensor(model.state.X), beta=beta, devices=devices, draws=count, seed=3)


def test_one_device_is_its_mean_and_as_many_deviations_as_beta_says():
    model, dense = fitted()
    x = NEW.points()[[2]]
    mean, covariance = dense.posterior(x)
    got = bound(model, beta=9.0).bound(to_tensor(x)[None]).item()
    assert got == pytest.approx(mean[0] + 3.0 * np.sqrt(covariance[0, 0]), rel=2e-3)


def test_a_film_is_the_brute_force():
    model, dense = fitted()
    mean, covariance = dense.posterior(NEW.points())
    deviations = draws(np.zeros(5), covariance, 400_000, 1)
    expected, error = mean_and_error((mean + np.sqrt(2.0 * np.pi) * np.abs(deviations)).max(axis=1))
    assert bound(model).bound(to_tensor(NEW.points())[None]).item() == pytest.approx(expected, abs=5e-3 + 4 * error)


def test_without_deviations_it_is_the_best_mean():
    model, dense = fitted()
    mean = dense.posterior(NEW.points())[0]
    assert bound(model, beta=0.0).bound(to_tensor(NEW.points())[None]).item() == pytest.approx(mean.max(), abs=5e-5)


def test_several_processes_count_alike():
    one, other = fitted()[0], fitted(lengthscale=0.2)[0]
    X = to_tensor(NEW.points())[None]
    latents = (*one.latents(), *other.latents())
    both = FilmBound(latents, to_tensor(one.state.X), beta=4.0, devices=5, draws=8192, seed=3).bound(X)
    assert both.item() == pytest.approx((bound(one).bound(X) + bound(other).bound(X)).item() / 2.0, rel=0.02)


@pytest.mark.parametrize("film", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("noise", [1e-8, 1e-3])
def test_value_and_gradient_are_finite_everywhere(film, noise):
    model, _ = fitted(noise=noise)
    X = to_tensor(film.points())[None].requires_grad_()
    value = bound(model, count=64).value(X)
    (gradient,) = torch.autograd.grad(value.sum(), X)
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()
