import math
from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi2
from scipy.stats import f as f_distribution

from models.dataset import Dataset
from models.surrogates.replicates import DEGREES, log_density, merged, pooled, shrunk
from tests.oracles import small_lab


def lab(devices, nu0, s0_squared, repeats, seed):
    """Sample variances of devices whose own variances follow the model."""
    rng = np.random.default_rng(seed)
    sigma_squared = nu0 * s0_squared / rng.chisquare(nu0, devices)
    n = rng.integers(*repeats, devices).astype(float)
    sample = np.array([rng.normal(0.0, s, int(k)).var(ddof=1) for s, k in zip(np.sqrt(sigma_squared), n, strict=True)])
    return sigma_squared, sample, n


def density(s_squared, d, nu0, s0_squared):
    """Log density of one sample variance by quadrature over the device's own variance."""

    def integrand(log_sigma):
        sigma_squared = math.exp(log_sigma)
        x = nu0 * s0_squared / sigma_squared
        own = chi2.pdf(x, nu0) * x  # density of log sigma^2
        return own * chi2.pdf(d * s_squared / sigma_squared, d) * d / sigma_squared

    middle = math.log(s0_squared)
    return math.log(quad(integrand, middle - 12.0, middle + 12.0, limit=400, points=[middle])[0])


@pytest.mark.parametrize("d2", [1.0, 4.0, 1e4])
def test_the_density_of_a_ratio_is_that_of_f(d2):
    ratio, d1 = np.geomspace(1e-4, 1e4, 41), np.resize([1.0, 2.0, 5.0, 30.0], 41)
    np.testing.assert_allclose(log_density(ratio, d1, d2), f_distribution.logpdf(ratio, d1, d2), rtol=1e-9, atol=1e-9)


def test_the_pool_is_the_top_of_the_likelihood_by_brute_force():
    _, sample, n = lab(12, 5.0, 0.04, (2, 6), seed=1)
    found = pooled(sample, n - 1.0)

    def score(nu0, s0_squared):
        prior = -0.5 * ((math.log(nu0) - DEGREES[0]) / DEGREES[1]) ** 2
        return prior + sum(density(s, d, nu0, s0_squared) for s, d in zip(sample, n - 1.0, strict=True))

    best = score(*found)
    for nu0, s0_squared in [(1.1, 1.0), (1 / 1.1, 1.0), (1.0, 1.05), (1.0, 1 / 1.05)]:
        assert score(found.degrees * nu0, found.variance * s0_squared) < best
    assert found.degrees != pytest.approx(math.exp(DEGREES[0]), rel=1e-3)


def test_many_devices_say_what_they_have_in_common():
    _, sample, n = lab(4000, 6.0, 0.5, (3, 6), seed=2)
    found = pooled(sample, n - 1.0)
    assert found.variance == pytest.approx(0.5, rel=0.05)
    assert found.degrees == pytest.approx(6.0, rel=0.2)


def test_the_shrunk_variance_is_the_formula():
    _, sample, n = lab(9, 5.0, 2.0, (2, 5), seed=3)
    prior = pooled(sample, n - 1.0)
    for s, k, found in zip(sample, n, shrunk(sample / n, n), strict=True):
        own = (prior.degrees * prior.variance + (k - 1.0) * s) / (prior.degrees + k - 1.0)
        assert found == pytest.approx(own / k, rel=1e-12)
        assert min(s, prior.variance) <= found * k * (1 + 1e-12)
        assert found * k <= max(s, prior.variance) * (1 + 1e-12)


def test_shrinking_is_nearer_the_truth_than_the_sample_variance():
    true, sample, n = lab(60, 6.0, 1.0, (3, 4), seed=4)
    error = [np.mean(np.log(v / true) ** 2) for v in (sample, shrunk(sample / n, n) * n)]
    assert error[1] < 0.3 * error[0]


def test_what_is_not_repeated_stays_as_it_is():
    variance, replicates = np.array([0.3, np.nan, 0.1, 0.4]), np.array([1.0, 1.0, 4.0, 3.0])
    found = shrunk(variance, replicates)
    assert found[0] == 0.3
    assert np.isnan(found[1])
    assert np.isfinite(found[2:]).all()


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_units_play_no_part(unit):
    _, sample, n = lab(20, 5.0, 1.0, (2, 6), seed=5)
    np.testing.assert_allclose(shrunk(unit**2 * sample / n, n), unit**2 * shrunk(sample / n, n), rtol=1e-5)


def test_one_wild_device_does_not_make_all_others_wild():
    _, sample, n = lab(40, 8.0, 1.0, (3, 6), seed=6)
    wild = np.where(np.arange(40) == 3, 1e10, sample)
    alike = np.arange(40) != 3
    ratio = (shrunk(wild / n, n) / shrunk(sample / n, n))[alike]
    assert (np.abs(np.log(ratio)) < np.log(5.0)).all()


def test_repeats_that_are_all_equal_teach_nothing_and_one_that_differs_lends_to_the_others():
    assert np.isnan(shrunk(np.zeros(3), np.array([2.0, 3.0, 4.0]))).all()
    assert (shrunk(np.array([0.0, 0.1, 0.2]), np.full(3, 3.0)) > 0.0).all()


def test_repeats_of_a_device_are_one_reading_and_all_else_stays():
    data = small_lab.dataset(3).canonical()
    n = len(data)
    assert merged(data) is data
    twice = data.take(np.r_[np.arange(n), 4, 4, 9])
    Y = twice.Y.copy()
    Y[n:, 0] += [0.3, 0.6, 1.0]
    repeated = replace(twice, Y=Y).canonical()
    one = merged(repeated)
    assert len(one) == n
    expected = data.Y.copy()
    expected[4] += 0.3
    expected[9] += 0.5
    order, wanted = np.lexsort(one.X.T), np.lexsort(data.X.T)
    np.testing.assert_allclose(one.Y[order], expected[wanted])
    np.testing.assert_array_equal(one.films[order], data.films[wanted])


def test_repeats_stand_at_the_mean_of_their_times():
    data = small_lab.dataset(3).canonical()
    again = data.take(np.array([4]))
    later = replace(again, Y=again.Y - 0.1, times=again.times + 100.0)
    parts = {f.name: np.concatenate([getattr(data, f.name), getattr(later, f.name)]) for f in fields(data)}
    one = merged(Dataset(**parts).canonical())
    (row,) = np.flatnonzero((data.X[4] == one.X).all(1))
    assert one.times[row] == data.times[4] + 50.0


@pytest.mark.parametrize("field", ["Yvar", "censored", "replicates", "dead", "calibration", "films", "positions"])
def test_what_is_known_of_a_reading_keeps_it_apart(field):
    data = small_lab.dataset(2).canonical()
    other = data.take(np.array([3]))
    value = getattr(other, field)
    changed = np.array(["film-9"]) if field == "films" else np.full_like(value, 2 if field == "replicates" else 1)
    parts = {f.name: np.concatenate([getattr(data, f.name), getattr(other, f.name)]) for f in fields(data)}
    parts[field] = np.concatenate([getattr(data, field), changed])
    assert len(merged(Dataset(**parts).canonical())) == len(data) + 1
