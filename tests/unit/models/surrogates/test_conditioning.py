"""With as many inducing values as readings the sparse posterior is the exact one, whatever the readings are about."""

import numpy as np
import pytest

from models.surrogates.conditioning import Conditioner
from models.surrogates.evidence import Readings
from models.surrogates.hyperparameters import Hyperparameters

H = Hyperparameters(
    lengthscales=np.array([0.6, 0.9, 0.7]),
    output_variance=0.8,
    noise_variance=0.02,
    film_variance=0.1,
    drift_variance=0.05,
    drift_time=0.4,
)


def readings(*, samples):
    """Eight films of five devices; with `samples`, two calibration samples are read beside them."""
    random = np.random.default_rng(3)
    film = np.repeat(np.arange(10), 4)
    sample = np.where(film >= 8, film, -1) if samples else None
    x = random.uniform(0.0, 1.0, (40, 3))
    known = np.where(np.arange(40) % 7 == 0, 0.05, np.nan)
    time = np.repeat(random.uniform(0.0, 1.0, 10), 4)
    return Readings(x, random.standard_normal(40), known, film, time=time, sample=sample)


@pytest.mark.parametrize("samples", [False, True])
def test_both_kinds_agree_where_nothing_is_left_out(samples):
    data, probe = readings(samples=samples), np.random.default_rng(4).uniform(0.0, 1.0, (9, 3))
    exact, sparse = Conditioner(data, H), Conditioner(data, H, exact=10)
    assert (exact.sparse, sparse.sparse) == (False, True)
    for one, other in zip(exact.conditioning.moments(probe), sparse.conditioning.moments(probe), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)
    for one, other in zip(exact.leave_film_out(), sparse.leave_film_out(), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)
    assert sparse.unexplained() == pytest.approx(0.0, abs=1e-6)
    assert exact.unexplained() == 0.0


def test_many_readings_are_conditioned_on_sparsely_and_well():
    random = np.random.default_rng(5)
    x = random.uniform(0.0, 1.0, (1200, 2))
    film = np.repeat(np.arange(120), 10)
    y = np.sin(5.0 * x[:, 0]) * x[:, 1] + 0.3 * random.standard_normal(120)[film] + 0.1 * random.standard_normal(1200)
    h = Hyperparameters(np.array([0.5, 0.5]), 0.5, 0.01, 0.09)
    found = Conditioner(Readings(x, y, np.full(1200, np.nan), film), h, exact=1000)
    probe = random.uniform(0.0, 1.0, (200, 2))
    mean, variance = found.conditioning.moments(probe)
    error = (mean - np.sin(5.0 * probe[:, 0]) * probe[:, 1]) / np.sqrt(variance)
    assert found.sparse
    assert found.unexplained() < 1e-3
    assert np.abs(error).max() < 5.0
    assert np.mean(np.abs(error) < 1.96) > 0.8
    left_mean, left_sd = found.leave_film_out()
    assert np.mean(np.abs(y - left_mean) < 1.96 * left_sd) == pytest.approx(0.95, abs=0.03)
