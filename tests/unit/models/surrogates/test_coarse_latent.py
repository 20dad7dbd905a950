"""A coarse process answers about the same, from fewer points."""

import numpy as np
import pytest

from models.surrogates import coarse_latent
from models.surrogates.coarse_latent import coarse
from models.tensors import to_array, to_tensor
from tests.oracles import film_lab
from tests.unit.models.policies.test_film_search import campaign


@pytest.fixture(scope="module")
def latents():
    problem, data = campaign(films=30)
    return film_lab.surrogate(problem, data).latents()[:1]


@pytest.fixture
def few(latents, monkeypatch):
    monkeypatch.setattr(coarse_latent, "FEW", 10)
    monkeypatch.setattr(coarse_latent, "WORTH_IT", 1.0)
    monkeypatch.setattr(coarse_latent, "UNEXPLAINED", 0.2)
    return coarse(latents)


def points(count=200):
    return to_tensor(np.random.default_rng(2).dirichlet(np.ones(3), size=count))


def test_it_has_fewer_points_and_about_the_same_posterior(latents, few):
    X = points()
    assert len(few[0].points) < 0.8 * len(latents[0].points)
    prior = latents[0].variance
    assert np.abs(to_array(few[0].mean(X) - latents[0].mean(X))).max() < 0.05 * prior**0.5
    np.testing.assert_allclose(
        to_array(few[0].covariance(X, X)), to_array(latents[0].covariance(X, X)), atol=2e-3 * prior
    )


def test_its_covariances_are_those_of_a_process(latents, few):
    X = points()
    assert np.linalg.eigvalsh(to_array(few[0].covariance(X, X))).min() > -1e-8 * latents[0].variance


def test_few_points_are_kept_as_they_are(latents):
    assert coarse(latents) is latents


def test_points_that_all_count_are_kept(latents, monkeypatch):
    monkeypatch.setattr(coarse_latent, "FEW", 10)
    monkeypatch.setattr(coarse_latent, "UNEXPLAINED", 1e-12)
    assert coarse(latents) is latents
