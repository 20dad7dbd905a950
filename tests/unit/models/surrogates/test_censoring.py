import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from models.surrogates.censoring import one_sided_sites


def posterior(mean, covariance, sites):
    """Gaussian values given pseudo-readings, by explicit inverses."""
    site, variance = sites
    gain = covariance @ np.linalg.inv(covariance + np.diag(variance))
    return mean + gain @ (site - mean), covariance - gain @ covariance


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("limit", [-3.0, 0.0, 0.7, 4.0])
@pytest.mark.parametrize("noise", [1e-6, 0.3, 5.0])
def test_one_reading_has_the_moments_of_the_quadrature(side, limit, noise):
    mean, variance = 0.4, 0.8

    def weight(g, power=0):
        return g**power * norm.pdf(g, mean, variance**0.5) * norm.cdf(side * (g - limit) / noise**0.5)

    def moment(power):
        edges = (mean - 9.0, mean + 9.0)
        return quad(weight, *edges, args=(power,), points=[limit], limit=500, epsabs=1e-14)[0]

    expected = moment(1) / moment(0)
    spread = moment(2) / moment(0) - expected**2
    one = (np.array([mean]), np.array([[variance]]))
    sites = one_sided_sites(*one, np.array([limit]), np.array([side]), np.array([noise]))
    found, found_variance = posterior(*one, sites)
    assert found[0] == pytest.approx(expected, abs=1e-5)
    assert found_variance[0, 0] == pytest.approx(spread, rel=1e-4)
    assert sites[1][0] >= noise


def test_several_readings_have_the_moments_of_brute_force():
    """Neighbours that share most of what they are, two of them saturated and one below the detection limit."""
    mean = np.array([0.3, 0.1, -0.2])
    covariance = np.array([[1.0, 0.8, 0.3], [0.8, 1.0, 0.4], [0.3, 0.4, 0.7]])
    limit, side, noise = np.array([1.0, 0.8, -0.5]), np.array([1, 1, -1]), np.array([0.05, 0.05, 0.2])
    rng = np.random.default_rng(0)
    g = rng.multivariate_normal(mean, covariance, size=300_000)
    weight = norm.cdf(side * (g - limit) / np.sqrt(noise)).prod(axis=1)
    expected = weight @ g / weight.sum()
    spread = weight @ (g - expected) ** 2 / weight.sum()
    found, found_covariance = posterior(mean, covariance, one_sided_sites(mean, covariance, limit, side, noise))
    # EP is not exact beyond one reading; for log-concave factors it is off by a few hundredths.
    np.testing.assert_allclose(found, expected, atol=0.02)
    np.testing.assert_allclose(np.diag(found_covariance), spread, rtol=0.08)


def test_what_was_clear_before_says_nothing():
    mean, covariance = np.array([5.0]), np.array([[0.01]])
    found, variance = posterior(
        mean, covariance, one_sided_sites(mean, covariance, np.array([0.0]), np.array([1]), np.array([0.01]))
    )
    assert found[0] == pytest.approx(5.0, abs=1e-9)
    assert variance[0, 0] == pytest.approx(0.01, rel=1e-6)


@pytest.mark.parametrize("gap", [3.0, 30.0, 300.0, 3e4, 1e6])
def test_a_reading_against_all_belief_is_finite_and_pulls_to_its_limit(gap):
    """The prior is sure of 0, a reading of almost no noise says: at least `gap` standard deviations more."""
    mean, covariance = np.zeros(2), np.array([[1.0, 0.9999], [0.9999, 1.0]])
    sites = one_sided_sites(mean, covariance, np.full(2, gap), np.ones(2), np.full(2, 1e-6))
    found, variance = posterior(mean, covariance, sites)
    assert np.isfinite(found).all()
    assert (np.diag(variance) > 0).all()
    assert found == pytest.approx(gap, rel=0.2)


def test_a_hundred_saturated_neighbours_stand_still():
    x = np.linspace(0.0, 1.0, 100)
    covariance = np.exp(-0.5 * ((x[:, None] - x) / 0.2) ** 2) + 1e-8 * np.eye(100)
    sites = one_sided_sites(np.zeros(100), covariance, np.full(100, 1.0), np.ones(100), np.full(100, 0.01))
    found, _ = posterior(np.zeros(100), covariance, sites)
    assert np.isfinite(found).all()
    assert (found > 0.95).all()
