import numpy as np
import torch

from models.surrogates.kernels import lengthscale_gradient, matern52, matern52_across
from models.surrogates.torch_kernels import matern52_between
from tests.oracles.gp_oracle import DenseFilmGP

LENGTHSCALES = np.array([0.3, 1.1, 0.07])


def textbook(x1, x2):
    oracle = DenseFilmGP(x1, np.empty(0), np.empty(0), np.empty(0), LENGTHSCALES, 1.0, 0.0, 0.0)
    return np.array([[oracle.kernel(a, b) for b in x2] for a in x1])


def points(n, seed=0):
    return np.random.default_rng(seed).random((n, 3))


def test_all_versions_are_the_textbook_kernel():
    x = points(9)
    z = x / LENGTHSCALES
    np.testing.assert_allclose(matern52(z)[0], textbook(x, x), atol=1e-14)
    np.testing.assert_allclose(matern52_between(torch.tensor(z), torch.tensor(z[:4])), textbook(x, x[:4]), atol=1e-12)
    np.testing.assert_allclose(matern52_across(z, z[:4]), textbook(x, x[:4]), atol=1e-12)


def test_scratch_memory_changes_nothing():
    z = points(6) / LENGTHSCALES
    for given, fresh in zip(matern52(z, np.full((3, 6, 6), np.nan)), matern52(z), strict=True):
        np.testing.assert_array_equal(given, fresh)


def test_gradient_in_the_points_agrees_with_differences():
    z1, z2 = (torch.tensor(points(n, seed) * 2, requires_grad=True) for n, seed in ((4, 1), (5, 2)))
    batch = torch.tensor(np.random.default_rng(3).random((2, 3, 3)), requires_grad=True)
    assert torch.autograd.gradcheck(matern52_between, (z1, z2))
    assert torch.autograd.gradcheck(matern52_between, (batch, z2))


def test_gradient_is_zero_where_points_coincide():
    z = torch.tensor(points(3), requires_grad=True)
    diagonal = matern52_between(z, z.detach()).diagonal().sum()
    (gradient,) = torch.autograd.grad(diagonal, z)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-7)


def test_lengthscale_gradient_is_the_sum_over_pairs():
    z, rng = points(8), np.random.default_rng(4)
    weights = rng.standard_normal((8, 8))
    weights += weights.T
    direct = sum(weights[i, j] * (z[i] - z[j]) ** 2 for i in range(8) for j in range(8))
    np.testing.assert_allclose(lengthscale_gradient(z, weights), direct, rtol=1e-12)
