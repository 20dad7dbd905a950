import numpy as np
import pytest
import torch

from models.policies.film_acquisition import FilmImprovement
from models.policies.pool import Pool
from models.policies.thompson_sampling import best_chances, film_draw
from models.tensors import to_array, to_tensor
from tests.oracles.small_campaign import AWKWARD, FLIGHT, NEW, READ, compositions, fitted, question

POOL = compositions(30)


def test_a_draw_has_the_law_of_the_posterior_at_the_pool_and_along_a_film():
    """The best device over the best of the pool, over many seeds, against plain draws of the dense posterior."""
    model, dense = fitted()
    (latent,) = model.latents()
    X, pool = to_tensor(NEW.points())[None], to_tensor(POOL)
    got = [FilmImprovement([latent], pool, devices=5, draws=1, seed=k).improvements(X).item() for k in range(500)]
    mean, covariance = dense.posterior(np.vstack([POOL, NEW.points()]))
    values = np.random.default_rng(0).multivariate_normal(mean, covariance, 50_000, method="eigh")
    expected = values[:, 30:].max(axis=1) - values[:, :30].max(axis=1)
    error = expected.std() / np.sqrt(len(got))
    assert np.mean(got) == pytest.approx(expected.mean(), abs=4 * error)
    assert np.std(got) == pytest.approx(expected.std(), rel=0.15)
    levels = np.quantile(expected, [0.1, 0.5, 0.9])
    np.testing.assert_allclose([np.mean(np.array(got) < level) for level in levels], [0.1, 0.5, 0.9], atol=0.08)


def test_the_points_with_the_best_chances_are_those_of_the_largest_mean_and_deviations():
    model, dense = fitted()
    mean, covariance = dense.posterior(POOL)
    chances = mean + 3.0 * np.sqrt(covariance.diagonal())
    kept = best_chances(model.latents()[0], Pool(POOL, mean), 10)
    assert set(map(tuple, kept)) == set(map(tuple, POOL[np.argsort(-chances)[:10]]))


def test_a_draw_differs_by_seed_and_is_the_same_for_the_same():
    model, _ = fitted()
    X = to_tensor(np.array([film.points() for film in (NEW, FLIGHT, *READ)]))
    one, same, other = (
        to_array(film_draw(question(model, seed=seed), model.latents()[0], 64).value(X)) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_the_film_of_the_best_device_in_the_draw_is_valued_most():
    model, _ = fitted()
    X = to_tensor(np.array([film.points() for film in (NEW, FLIGHT, *READ)]))
    draw = film_draw(question(model), model.latents()[0], 64)
    assert draw.value(X).argmax() == draw.improvements(X)[:, 0].argmax()


@pytest.mark.parametrize("film", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("noise", [1e-9, 1e-3])
def test_value_and_gradient_are_finite_everywhere(film, noise):
    model, _ = fitted(noise=noise)
    draw = film_draw(question(model), model.latents()[0], 64)
    X = to_tensor(film.points())[None].requires_grad_()
    value = draw.value(X)
    (gradient,) = torch.autograd.grad(value.sum(), X)
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()
