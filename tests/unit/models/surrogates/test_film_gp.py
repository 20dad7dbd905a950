from dataclasses import replace

import numpy as np
import pytest
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.exceptions.errors import UnsupportedError
from botorch.sampling.normal import SobolQMCNormalSampler

from models.errors import IncompatibleCheckpoint
from models.surrogates.conditioned import POSTERIOR_JITTER
from models.surrogates.evidence import CONSTANT_VARIANCE, NUGGET
from models.surrogates.film_gp import FilmGP
from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.hyperparameters import Hyperparameters
from models.tensors import to_tensor
from models.train import train
from tests.oracles import small_lab
from tests.oracles.gp_oracle import DenseFilmGP

H = Hyperparameters(np.array([0.3, 0.5, 0.4, 1.2]), 1.4, 0.02, 0.3)


def model(hyperparameters=(H,), films=3, known=0.5):
    data = small_lab.dataset(films, known=known).canonical()
    state = FilmGPState(
        lower=np.array([0.1, 0.0, 0.0, 0.0]),
        width=np.array([0.8, 0.5, 1.0, 1.0]),
        X=data.X,
        Y=np.tile(data.Y, len(hyperparameters)),
        Yvar=np.tile(data.Yvar, len(hyperparameters)),
        film=np.unique(data.films, return_inverse=True)[1],
        centre=np.full(len(hyperparameters), 2.0),
        scale=np.full(len(hyperparameters), 1.7),
        hyperparameters=tuple(hyperparameters),
        fitted=np.full(len(hyperparameters), len(data)),
    )
    return FilmGP(state)


def oracle(gp):
    s, h = gp.state, gp.hyperparameters[0]
    known = s.Yvar[:, 0] / 1.7**2
    return DenseFilmGP(
        x=(s.X - s.lower) / s.width,
        y=(s.Y[:, 0] - 2.0) / 1.7,
        noise=np.where(np.isnan(known), h.noise_variance, known) + NUGGET,
        film=s.film,
        lengthscales=h.lengthscales,
        output_variance=h.output_variance,
        film_variance=h.film_variance,
        constant_variance=CONSTANT_VARIANCE,
    )


@pytest.mark.parametrize("film_variance", [0.0, 0.3])
def test_joint_posterior_is_that_of_dense_algebra(film_variance):
    gp = model([replace(H, film_variance=film_variance)])
    X = small_lab.probe(6)
    mean, covariance = oracle(gp).posterior((X - gp.state.lower) / gp.state.width)
    normal = gp.posterior(to_tensor(X)).distribution
    jitter = POSTERIOR_JITTER * (H.output_variance + CONSTANT_VARIANCE) * np.eye(6)
    np.testing.assert_allclose(normal.mean, mean, atol=1e-10)
    np.testing.assert_allclose(normal.covariance_matrix, covariance + jitter, atol=1e-10)


def test_prediction_is_the_posterior_in_physical_units():
    gp, X = model(), small_lab.probe(6)
    mean, covariance = oracle(gp).posterior((X - gp.state.lower) / gp.state.width)
    predicted = gp.predict(X)
    np.testing.assert_allclose(predicted.mean[:, 0], 2.0 + 1.7 * mean, atol=1e-9)
    np.testing.assert_allclose(predicted.sd[:, 0], 1.7 * np.sqrt(np.diag(covariance)), rtol=1e-5)
    assert gp.noise_sd == pytest.approx(1.7 * np.sqrt(0.02))
    assert gp.film_effect_sd == pytest.approx(1.7 * np.sqrt(0.3))


def test_batches_are_answered_one_by_one():
    gp, X = model(), to_tensor(small_lab.probe(12)).reshape(2, 2, 3, 4)
    joint = gp.posterior(X)
    assert joint.mean.shape == (2, 2, 3, 1)
    single = gp.posterior(X[1, 0])
    torch.testing.assert_close(joint.mean[1, 0], single.mean)
    torch.testing.assert_close(joint.distribution.covariance_matrix[1, 0], single.distribution.covariance_matrix)


def test_latent_process_gives_the_same_posterior():
    gp, X = model(), to_tensor(small_lab.probe(5))
    (latent,) = gp.latents()
    normal = gp.posterior(X).distribution
    torch.testing.assert_close(latent.mean(X), normal.mean)
    jitter = POSTERIOR_JITTER * latent.variance * torch.eye(5, dtype=torch.float64)
    torch.testing.assert_close(latent.covariance(X, X) + jitter, normal.covariance_matrix)


def test_a_film_offset_is_not_the_property():
    """One of two films on the same line reads 5 V more: f lies between, and the surer s_b is large, the vaguer f is."""
    base = model().state
    line = np.tile(base.X[:7], (2, 1))
    y = np.concatenate([np.zeros(7), np.full(7, 5.0)])[:, None]
    film, none = np.repeat([0, 1], 7), np.full((14, 1), np.nan)
    shared, sure = (
        FilmGP(
            replace(base, X=line, Y=y, Yvar=none, film=film, hyperparameters=(replace(H, film_variance=v),))
        ).predict(line[:1])
        for v in (3.0, 0.01)
    )
    assert 1.0 < shared.mean[0, 0] < 4.0
    assert shared.sd[0, 0] > 3.0 * sure.sd[0, 0]


def test_a_known_variance_is_used_as_it_is():
    base = model(known=0.0).state
    precise, vague = (FilmGP(replace(base, Yvar=np.full_like(base.Y, v))).predict(base.X[:1]) for v in (1e-6, 4.0))
    assert precise.sd[0, 0] < vague.sd[0, 0]


def test_readings_that_are_missing_play_no_part():
    base = model().state
    hole = base.Y.copy()
    hole[4:] = np.nan
    expected = FilmGP(replace(base, X=base.X[:4], Y=base.Y[:4], Yvar=base.Yvar[:4], film=base.film[:4]))
    X = small_lab.probe(3)
    np.testing.assert_array_equal(FilmGP(replace(base, Y=hole)).predict(X).mean, expected.predict(X).mean)


def test_two_objectives_are_two_independent_models():
    other = replace(H, output_variance=0.3)
    both, X = model([H, other]), to_tensor(small_lab.probe(4))
    assert both.num_outputs == 2
    assert both.posterior(X).mean.shape == (4, 2)
    for k, h in enumerate((H, other)):
        torch.testing.assert_close(both.posterior(X).mean[:, k : k + 1], model([h]).posterior(X).mean)


def test_noise_is_not_mixed_into_the_posterior():
    with pytest.raises(UnsupportedError, match="of f"):
        model().posterior(to_tensor(small_lab.probe(2)), observation_noise=True)


@pytest.mark.parametrize("cache_root", [True, False])
def test_botorch_takes_it_for_joint_improvement(cache_root):
    """Films of 7 devices, one of them a repeat of what is known: finite value and gradient, and seven beat one."""
    gp = model()
    acquisition = qLogNoisyExpectedImprovement(
        gp,
        to_tensor(gp.state.X),
        sampler=SobolQMCNormalSampler(torch.Size([64]), seed=0),
        X_pending=to_tensor(small_lab.probe(3, seed=5)),
        cache_root=cache_root,
    )
    films = torch.stack([to_tensor(gp.state.X[:7]), to_tensor(small_lab.probe(7, seed=3))]).requires_grad_(True)
    value = acquisition(films)
    (gradient,) = torch.autograd.grad(value.sum(), films)
    assert value.shape == (2,)
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()
    assert acquisition(films[1:, :1].detach()) < value[1]


def test_conditioning_without_a_fit_is_what_a_fit_with_these_hyperparameters_would_be():
    problem = small_lab.problem()
    surrogate = train(problem, small_lab.dataset(3), seed=0).surrogate
    more = small_lab.dataset(5).canonical()
    conditioned = surrogate.condition(problem, more)
    assert conditioned.hyperparameters == surrogate.hyperparameters
    np.testing.assert_array_equal(conditioned.state.X, more.X)
    again = FilmGP(conditioned.state)
    np.testing.assert_array_equal(again.predict(more.X).mean, conditioned.predict(more.X).mean)


@pytest.mark.parametrize("spoil", [lambda a: a.pop("theta"), lambda a: a.update(width=np.ones(7)), lambda a: a.clear()])
def test_arrays_that_are_no_model_are_refused(spoil):
    arrays = model().arrays()
    spoil(arrays)
    with pytest.raises(IncompatibleCheckpoint):
        FilmGP.from_arrays(arrays)
