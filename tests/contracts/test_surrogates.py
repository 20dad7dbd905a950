"""One suite that every registered surrogate passes: a new kind inherits its proof."""

import numpy as np
import pytest
import torch

from models.checkpoint import from_bytes, to_bytes
from models.problem import Problem
from models.registry import SURROGATES
from models.tensors import to_tensor
from models.train import train
from tests.oracles import small_lab

DATA = small_lab.dataset(known=0.3)
ORDER_TOLERANCE = 1e-12
"""Relative: shuffled readings are sorted before anything is computed, so only rounding could differ."""


@pytest.fixture(scope="module", params=sorted(SURROGATES))
def problem(request):
    plain = small_lab.problem().model_dump()
    return Problem.model_validate(plain | {"surrogate": {"name": request.param}})


@pytest.fixture(scope="module")
def bundle(problem):
    return train(problem, DATA, seed=5)


def test_it_is_the_surrogate_that_was_asked_for(problem, bundle):
    assert type(bundle.surrogate) is SURROGATES[problem.surrogate.name]
    assert bundle.surrogate.name == problem.surrogate.name


@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
@pytest.mark.parametrize("q", [1, 13])
def test_shapes(bundle, batch, q):
    X = to_tensor(small_lab.probe(int(np.prod(batch)) * q)).reshape(*batch, q, 4)
    posterior = bundle.surrogate.posterior(X)
    assert posterior.mean.shape == (*batch, q, bundle.surrogate.num_outputs)
    assert posterior.variance.shape == posterior.mean.shape
    assert posterior.distribution.covariance_matrix.shape == (*batch, q, q)
    assert posterior.rsample(torch.Size([5])).shape == (5, *batch, q, bundle.surrogate.num_outputs)


def test_predictions_and_uncertainties_have_one_column_per_objective(bundle):
    predicted = bundle.surrogate.predict(small_lab.probe(9))
    assert predicted.mean.shape == predicted.sd.shape == (9, bundle.surrogate.num_outputs)
    assert bundle.surrogate.noise_sd.shape == bundle.surrogate.film_effect_sd.shape == (bundle.surrogate.num_outputs,)
    assert (bundle.surrogate.noise_sd > 0).all()
    assert (bundle.surrogate.film_effect_sd >= 0).all()


def test_same_seed_same_answer(problem, bundle):
    again = train(problem, DATA, seed=5)
    for one, other in zip(bundle.predict(problem, DATA.X), again.predict(problem, DATA.X), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_order_of_the_readings_does_not_matter(problem, bundle, seed):
    shuffled = DATA.take(np.random.default_rng(seed).permutation(len(DATA)))
    other = train(problem, shuffled, seed=5)
    assert other.fingerprint == bundle.fingerprint
    for one, two in zip(bundle.predict(problem, DATA.X), other.predict(problem, DATA.X), strict=True):
        np.testing.assert_allclose(two, one, rtol=ORDER_TOLERANCE)


def test_checkpoint_round_trip_is_exact(problem, bundle):
    copy = from_bytes(to_bytes(bundle), problem, DATA)
    X = to_tensor(small_lab.probe(13))
    one, two = (b.surrogate.posterior(X).distribution for b in (bundle, copy))
    assert torch.equal(one.mean, two.mean)
    assert torch.equal(one.covariance_matrix, two.covariance_matrix)


def test_far_from_all_readings_it_is_finite_and_less_sure(problem, bundle):
    far = np.array([[1.0, 0.0, 0.0, 0.0], [50.0, -20.0, -29.0, 1e3], [1e6, 1e6, 1e6, 1e6]])
    predicted = bundle.predict(problem, far)
    assert np.isfinite(predicted.mean).all()
    assert np.isfinite(predicted.sd).all()
    assert predicted.sd[1:].min() > bundle.predict(problem, DATA.X).sd.max()


@pytest.mark.parametrize("given", ["inferred", "zero"])
def test_gradient_is_finite_and_right_even_at_a_reading_and_its_repeat(problem, given):
    """At a device that was read twice, with noise said to be nothing, where sqrt(distance) has no derivative."""
    twice = DATA.take(np.r_[np.arange(len(DATA)), 0, 0])
    variance = np.full_like(twice.Y, np.nan if given == "inferred" else 0.0)
    data = type(twice)(twice.X, twice.Y, variance, twice.films, twice.times, twice.names)
    surrogate = train(problem, data, seed=5).surrogate

    def mean_and_spread(X):
        posterior = surrogate.posterior(X)
        return posterior.mean.sum() + posterior.variance.sum()

    X = to_tensor(np.vstack([data.X[[0, 0, 5]], small_lab.probe(2)])).requires_grad_(True)
    (gradient,) = torch.autograd.grad(mean_and_spread(X), X)
    assert torch.isfinite(gradient).all()
    with torch.no_grad():
        for row, column in ((3, 0), (4, 3), (0, 1)):
            step = torch.zeros_like(X)
            step[row, column] = 1e-5
            slope = (mean_and_spread(X + step) - mean_and_spread(X - step)) / 2e-5
            assert float(gradient[row, column]) == pytest.approx(float(slope), rel=1e-3, abs=1e-3)


def test_joint_samples_exist_at_devices_that_almost_coincide(bundle):
    line = np.tile(DATA.X[3], (13, 1))
    line[:, 0] += np.linspace(0.0, 1e-3, 13)
    line[:, 1] -= np.linspace(0.0, 1e-3, 13)
    posterior = bundle.surrogate.posterior(to_tensor(np.vstack([line, line])))
    assert torch.isfinite(posterior.rsample(torch.Size([8]))).all()
