"""The likelihood against scipy, the bounds against a model that is known by hand, the gradients against differences."""

import numpy as np
import pytest
import torch
from scipy import stats

from models.generators.conditional_vae import Batch, Net, elbo, elbo_terms, importance_bound
from models.generators.element_features import element_features
from models.generators.likelihood import (
    concentration,
    dirichlet_log_density,
    kl_per_dimension,
    normal_log_density,
    presence_log_density,
    shares,
)
from tests.oracles.linear_gaussian import LinearGaussian

ELEMENTS = ("Fe", "Co", "Ni", "Cr", "Al")


def compositions(count, seed):
    rng = np.random.default_rng(seed)
    present = rng.random((count, len(ELEMENTS))) < 0.6
    present[np.arange(count), rng.integers(len(ELEMENTS), size=count)] = True
    X = rng.gamma(2.0, size=present.shape) * present
    return X / X.sum(axis=1, keepdims=True), present


def test_dirichlet_is_scipys_on_the_elements_that_are_present():
    X, present = compositions(40, 0)
    scores, c = np.random.default_rng(1).standard_normal(X.shape), np.linspace(2.0, 900.0, len(X))
    parts = shares(torch.tensor(scores), torch.tensor(present * 1.0))
    ours = dirichlet_log_density(torch.tensor(X), torch.tensor(present * 1.0), parts, torch.tensor(c)).numpy()
    for row, here in enumerate(present):
        weights = np.exp(scores[row, here])
        alpha = c[row] * weights / weights.sum()
        wanted = stats.dirichlet.logpdf(X[row, here], alpha) if here.sum() > 1 else 0.0
        assert ours[row] == pytest.approx(wanted, rel=1e-9, abs=1e-9)
        assert parts[row].numpy()[~here].tolist() == [0.0] * int((~here).sum())


def test_presence_is_scipys_bernoulli():
    _, present = compositions(40, 2)
    log_odds = 3.0 * np.random.default_rng(3).standard_normal(present.shape)
    ours = presence_log_density(torch.tensor(log_odds), torch.tensor(present * 1.0)).numpy()
    chance = 1.0 / (1.0 + np.exp(-log_odds))
    np.testing.assert_allclose(ours, stats.bernoulli.logpmf(present, chance).sum(axis=1), rtol=1e-9)


def test_hurdle_likelihood_is_normalised():
    """Summed over every support and integrated over its fractions by Monte Carlo, the density is 1."""
    rng, total = np.random.default_rng(4), 0.0
    log_odds, scores = torch.tensor([0.3, -0.7, 1.1]), torch.tensor([0.2, 0.5, -0.4], dtype=torch.float64)
    none = float(torch.sigmoid(-log_odds).prod())  # the empty support has a chance and no composition
    for number in range(1, 8):
        here = np.array([number >> k & 1 for k in range(3)], dtype=bool)
        k = int(here.sum())
        X = np.zeros((20_000 if k > 1 else 1, 3))
        X[:, here] = rng.dirichlet(np.ones(k), len(X))
        a = torch.tensor(np.tile(here * 1.0, (len(X), 1)))
        density = dirichlet_log_density(torch.tensor(X), a, shares(scores, a), torch.full((len(X),), 6.0)).exp()
        volume = 1.0 / float(np.prod(np.arange(1, k)))
        total += float(presence_log_density(log_odds.double(), a[:1]).exp()) * float(density.mean()) * volume
    assert total + none == pytest.approx(1.0, abs=0.02)


def test_concentration_keeps_within_its_limits():
    c = concentration(torch.tensor([-1e3, 0.0, 1e3], dtype=torch.float64)).numpy()
    np.testing.assert_allclose(c, [2.0, np.sqrt(2.0 * 1000.0), 1000.0])


def test_kl_and_density_of_codes_by_quadrature():
    grid = np.linspace(-12.0, 12.0, 40_001)
    for mean, log_variance in ((0.7, -1.3), (0.0, 0.0), (-2.0, 0.5)):
        q, p = stats.norm(mean, np.exp(0.5 * log_variance)), stats.norm()
        wanted = np.trapezoid(q.pdf(grid) * (q.logpdf(grid) - p.logpdf(grid)), grid)
        args = torch.tensor([[mean]]), torch.tensor([[log_variance]])
        assert kl_per_dimension(*args).item() == pytest.approx(wanted, abs=1e-6)
        assert normal_log_density(torch.tensor([[0.3]]), *args).item() == pytest.approx(q.logpdf(0.3), abs=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_elbo_lies_below_the_marginal_by_the_divergence_of_the_posteriors(seed):
    model = LinearGaussian(seed)
    X = np.random.default_rng(seed).standard_normal((4, 3))
    batch = Batch(torch.tensor(X), torch.zeros(4, 0))
    noise = torch.tensor(np.random.default_rng(9).standard_normal((200_000, 1, 2)))
    wide = Batch(batch.x[None], batch.c)
    reconstruction, kl = elbo_terms(model, wide, noise)
    ours = reconstruction.mean(dim=0).numpy() - kl.sum(-1)[0].numpy()
    scale = np.abs(model.log_marginal(X)).max()
    np.testing.assert_allclose(ours, model.log_marginal(X) - model.gap(X), atol=0.02 * scale)


@pytest.mark.parametrize("draws", [1, 7])
def test_with_the_true_posterior_every_bound_is_the_marginal(draws):
    model = LinearGaussian(3)
    model.encode_exactly()
    X = np.random.default_rng(5).standard_normal((6, 3))
    noise = torch.tensor(np.random.default_rng(6).standard_normal((draws, 6, 2)))
    ours = importance_bound(model, Batch(torch.tensor(X), torch.zeros(6, 0)), noise).numpy()
    np.testing.assert_allclose(ours, model.log_marginal(X), rtol=1e-9)


def test_more_draws_tighten_the_bound():
    model = LinearGaussian(7)
    X = torch.tensor(np.random.default_rng(8).standard_normal((5, 3)))
    rng = np.random.default_rng(10)
    batch = Batch(X, torch.zeros(5, 0))
    means = [
        np.mean([importance_bound(model, batch, torch.tensor(rng.standard_normal((k, 5, 2)))) for _ in range(400)])
        for k in (1, 8, 64)
    ]
    assert means[0] < means[1] < means[2] < model.log_marginal(X.numpy()).mean()


def test_free_bits_and_weights_by_hand():
    reconstruction = torch.tensor([1.0, 3.0])
    kl = torch.tensor([[0.1, 2.0], [0.3, 4.0]])
    plain = elbo(reconstruction, kl, torch.ones(2), beta=0.5, free_bits=0.5).item()
    assert plain == pytest.approx(2.0 - 0.5 * (0.5 + 3.0))
    weighed = elbo(reconstruction, kl, torch.tensor([3.0, 1.0]), beta=1.0).item()
    assert weighed == pytest.approx((3.0 + 3.0) / 4.0 - ((0.3 + 0.3) / 4.0 + (6.0 + 4.0) / 4.0))


def test_gradient_of_the_bound_is_that_of_finite_differences():
    torch.manual_seed(0)
    net = Net(torch.tensor(element_features(ELEMENTS)), conditions=2, latent=3, width=9, dropout=0.0)
    X, _ = compositions(6, 11)
    rng = np.random.default_rng(12)
    batch = Batch(torch.tensor(X), torch.tensor(rng.standard_normal((6, 4))))
    noise = torch.tensor(rng.standard_normal((6, 3)))

    def bound():
        return elbo(*elbo_terms(net, batch, noise), torch.ones(6, dtype=torch.float64), beta=0.7, free_bits=0.1)

    parameters = [p for p in net.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(bound(), parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        step = torch.tensor(rng.standard_normal(parameter.shape))
        values = []
        for sign in (1e-5, -1e-5):
            with torch.no_grad():
                parameter.add_(sign * step)
                values.append(bound().item())
                parameter.sub_(sign * step)
        slope = (values[0] - values[1]) / 2e-5
        assert float((gradient * step).sum()) == pytest.approx(slope, rel=2e-5, abs=2e-6)


def test_elements_that_are_alike_are_treated_alike_until_data_say_otherwise():
    torch.manual_seed(1)
    net = Net(torch.tensor(element_features(("Co", "Ni", "Mg"))), conditions=0, latent=2, width=8, dropout=0.0)
    of = net.to_presence().detach().numpy()
    assert np.linalg.norm(of[0] - of[1]) < 0.3 * np.linalg.norm(of[0] - of[2])
