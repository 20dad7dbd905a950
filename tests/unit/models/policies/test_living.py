from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from models.policies.base import Question
from models.policies.living import first_alive
from models.policies.survival import device_chances
from models.tensors import to_array, to_tensor
from tests.oracles import film_lab
from tests.unit.models.policies.test_film_acquisition import FILMS, NEW, PROBLEM, acquisition, fitted


def enumerated(gains, chances):
    """Expected best gain of the living devices over all patterns of life and death, `b x S`."""
    total = np.zeros((gains.shape[0], gains.shape[2]))
    for pattern in product([False, True], repeat=gains.shape[1]):
        alive = np.array(pattern)
        weight = np.where(alive, chances, 1.0 - chances).prod(axis=1)[:, None]
        if alive.any():
            total += weight * np.maximum(gains[:, alive].max(axis=1), 0.0)
    return total


def test_the_expectation_is_that_of_all_patterns_of_life_and_death():
    rng = np.random.default_rng(0)
    gains, chances = rng.standard_normal((3, 6, 20)), rng.random((3, 6))
    chances[0, 2], chances[1, 4] = 0.0, 1.0
    ordered, weights = first_alive(to_tensor(gains), to_tensor(chances))
    found = to_array((weights.exp() * ordered.clamp_min(0.0)).sum(dim=-2))
    np.testing.assert_allclose(found, enumerated(gains, chances), atol=1e-7)


def with_chances(model, chances):
    acq = acquisition(model, model.state.X, draws=256)
    acq._chances = chances
    return acq


def test_a_film_whose_devices_all_work_is_worth_what_it_was_worth():
    model, X = fitted(), to_tensor(NEW)[None]
    sure = with_chances(model, lambda X: torch.ones(X.shape[:-1], dtype=X.dtype))
    plain = acquisition(model, model.state.X, draws=256)
    assert sure.gain(X).item() == pytest.approx(plain.gain(X).item(), rel=1e-6)
    assert sure.value(X).item() == pytest.approx(plain.value(X).item(), abs=1e-6)


def test_value_follows_the_gain_and_its_gradient_the_chances():
    """Devices die where the first element is rich; the slope of the value holds what that costs."""

    def chances(X):
        return torch.sigmoid(4.0 - 10.0 * X[..., 0])

    model, X = fitted(), to_tensor(NEW)[None].requires_grad_()
    acq = with_chances(model, chances)
    value = acq.value(X)
    (gradient,) = torch.autograd.grad(value.sum(), X)
    step = torch.zeros_like(X)
    step[0, 1, 0] = 1e-6
    with torch.no_grad():
        slope = (acq.value(X + step) - acq.value(X - step)).item() / 2e-6
        plain = acquisition(model, model.state.X, draws=256).gain(X)
    assert gradient[0, 1, 0].item() == pytest.approx(slope, rel=1e-3, abs=1e-4)
    assert value.item() == pytest.approx(np.log(acq.gain(X).item()), abs=0.05)
    assert acq.gain(X).item() < plain.item()


@pytest.mark.parametrize("chance", [0.0, 1e-12, 1.0])
def test_value_and_gradient_are_finite_where_life_or_death_is_sure(chance):
    acq = with_chances(fitted(), lambda X: chance + 0.0 * X[..., 0])
    X = to_tensor(NEW)[None].requires_grad_()
    value = acq.value(X)
    (gradient,) = torch.autograd.grad(value.sum(), X)
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()


def test_films_are_weighed_by_what_dead_devices_taught_and_by_nothing_without_them():
    data = film_lab.measured(PROBLEM, FILMS * 4, noise=0.1)
    dead = data.X[:, 0] > 0.4
    told = replace(data, Y=np.where(dead[:, None], np.nan, data.Y), dead=dead)
    films = to_tensor(np.stack([NEW, FILMS[0].points()]))
    asked = {}
    for name, dataset in (("told", told), ("whole", data)):
        bundle = film_lab.bundle(PROBLEM, dataset)
        asked[name] = device_chances(Question(PROBLEM, dataset, (), 0, bundle.surrogate, lambda _phase: None))
    assert asked["whole"] is None
    chances = to_array(asked["told"](films))
    assert chances.shape == (2, 5)
    assert chances[1, 0] < 0.5
    assert chances[1, -1] > 0.8
    for part in (films[:, ::2], films[:, :1]):
        assert asked["told"](part).shape == part.shape[:2]
