"""The sparse posterior against dense algebra that forms every matrix it avoids."""

import numpy as np
import pytest

from models.surrogates.diagnostics import leave_film_out
from models.surrogates.sparse import FilmNoise, Inducing, inducing_points, sparse_leave_film_out, sparse_posterior

VARIANCE = 1.7


def covariance(one, other):
    r = np.sqrt(((one[:, None] - other) ** 2).sum(-1))
    return 0.7 * (1.0 + r) * np.exp(-r) + 1.0


@pytest.fixture
def lab():
    random = np.random.default_rng(5)
    z = random.uniform(0.0, 2.0, (60, 3))
    film = np.repeat(np.arange(10), 6)[random.permutation(60)]
    noise = FilmNoise(random.uniform(0.01, 0.3, 60), np.where(film < 8, 0.6, 0.0), film)
    y = np.sin(z.sum(1)) + 0.6 * random.standard_normal(10)[film] + 0.2 * random.standard_normal(60)
    return z, y, noise


def dense_noise(noise):
    same_film = noise.film[:, None] == noise.film
    return np.diag(noise.variance) + np.outer(noise.offset, noise.offset) * same_film


def induced(points, z):
    return Inducing(covariance(points, points), covariance(points, z), np.full(len(z), VARIANCE))


def dense_variational(points, z, y, D, x):
    """Titsias 2009, eq. 10, written out: mean and covariance at x."""
    uu, uf = covariance(points, points), covariance(points, z)
    inner = np.linalg.inv(uu + uf @ np.linalg.inv(D) @ uf.T)
    across = covariance(x, points)
    mean = across @ inner @ uf @ np.linalg.inv(D) @ y
    return mean, covariance(x, x) - across @ (np.linalg.inv(uu) - inner) @ across.T


def answers(points, lab, x):
    z, y, noise = lab
    project, whitened = sparse_posterior(induced(points, z), y, noise)
    half = covariance(x, points) @ project
    return half @ whitened, covariance(x, x) - half @ half.T


def test_noise_is_solved_as_the_dense_matrix_is(lab):
    z, _, noise = lab
    np.testing.assert_allclose(noise.solve(z.T), z.T @ np.linalg.inv(dense_noise(noise)), atol=1e-10)
    np.testing.assert_allclose(noise.solve(z[:, 0]), z[:, 0] @ np.linalg.inv(dense_noise(noise)), atol=1e-10)


def test_few_inducing_points_give_the_variational_posterior(lab):
    z, y, noise = lab
    x = np.random.default_rng(6).uniform(0.0, 2.0, (7, 3))
    points = inducing_points(z, covariance, VARIANCE, 12)
    mean, covered = answers(points, lab, x)
    expected_mean, expected = dense_variational(points, z, y, dense_noise(noise), x)
    np.testing.assert_allclose(mean, expected_mean, atol=1e-6)
    np.testing.assert_allclose(covered, expected, atol=1e-6)


def test_as_many_inducing_points_as_readings_give_the_exact_posterior(lab):
    z, y, noise = lab
    x = np.random.default_rng(6).uniform(0.0, 2.0, (7, 3))
    mean, covered = answers(z, lab, x)
    inverse = np.linalg.inv(covariance(z, z) + dense_noise(noise))
    np.testing.assert_allclose(mean, covariance(x, z) @ inverse @ y, atol=1e-6)
    np.testing.assert_allclose(covered, covariance(x, x) - covariance(x, z) @ inverse @ covariance(z, x), atol=1e-6)


def test_left_out_films_are_predicted_as_by_the_dense_inverse(lab):
    z, y, noise = lab
    points = inducing_points(z, covariance, VARIANCE, 12)
    uf = covariance(points, z)
    explained = uf.T @ np.linalg.inv(covariance(points, points)) @ uf
    mean, sd = leave_film_out(np.linalg.inv(explained + dense_noise(noise)), y, noise.film)
    found_mean, found_sd = sparse_leave_film_out(induced(points, z), y, noise)
    np.testing.assert_allclose(found_mean, mean, atol=1e-6)
    np.testing.assert_allclose(found_sd, np.sqrt(sd**2 + VARIANCE - np.diag(explained)), atol=1e-6)


def test_inducing_points_explain_more_than_random_ones(lab):
    z, *_ = lab

    def unexplained(points):
        across = covariance(points, z)
        return VARIANCE * len(z) - np.trace(across.T @ np.linalg.solve(covariance(points, points), across))

    greedy = unexplained(inducing_points(z, covariance, VARIANCE, 12))
    random = [unexplained(z[np.random.default_rng(k).choice(60, 12, replace=False)]) for k in range(20)]
    assert greedy < min(random)


def test_repeated_points_are_chosen_once(lab):
    z, *_ = lab
    assert len(inducing_points(np.tile(z[:5], (4, 1)), covariance, VARIANCE, 12)) == 5
