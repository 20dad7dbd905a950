import numpy as np
import pytest
import torch

from models.policies.film_reading import latents_after_flight
from models.policies.mapping import FilmMapping
from models.tensors import to_tensor
from tests.oracles.small_campaign import AWKWARD, FLIGHT, NEW, compositions, fitted, question

POOL = compositions(100)


def mapping(model, pool=POOL, flight=()):
    return FilmMapping(latents_after_flight(question(model, pending=flight)), to_tensor(pool))


@pytest.mark.parametrize("flight", [[], [FLIGHT]], ids=["alone", "beside a film in flight"])
@pytest.mark.parametrize("beliefs", [{}, {"film": 0.5}, {"noise": 0.2}])
def test_the_typical_deviation_falls_as_if_the_film_were_read(flight, beliefs):
    model, dense = fitted(**beliefs)
    for film in flight:
        dense = dense.after_mean(film.points())
    before = np.sqrt(dense.posterior(POOL)[1].diagonal().mean())
    left = np.sqrt(dense.after_mean(NEW.points()).posterior(POOL)[1].diagonal().mean())
    acquisition = mapping(model, flight=flight)
    assert acquisition.typical_sd == pytest.approx(before, abs=1e-4)
    assert acquisition.gain(to_tensor(NEW.points())[None]).item() == pytest.approx(before - left, abs=1e-4)


def test_the_value_is_the_logarithm_of_the_variance_that_goes():
    model, dense = fitted()
    gone = dense.posterior(POOL)[1].diagonal() - dense.after_mean(NEW.points()).posterior(POOL)[1].diagonal()
    value = mapping(model).value(to_tensor(NEW.points())[None]).item()
    assert value == pytest.approx(np.log(gone.mean()), abs=1e-3)


def test_several_processes_count_alike():
    one, other = fitted()[0].latents(), fitted(lengthscale=0.2)[0].latents()
    X, pool = to_tensor(NEW.points())[None], to_tensor(POOL)
    alone = [FilmMapping(latents, pool[k::2]).reduction(X).item() for k, latents in enumerate((one, other))]
    assert FilmMapping((*one, *other), pool).reduction(X).item() == pytest.approx(sum(alone) / 2.0)


def test_more_processes_than_points_are_no_obstacle():
    latents = fitted()[0].latents() * 3
    mapping = FilmMapping(latents, to_tensor(POOL[:2]))
    assert mapping.gain(to_tensor(NEW.points())[None]).item() > 0.0


@pytest.mark.parametrize("film", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("beliefs", [{}, {"noise": 1e-9, "film": 0.0}, {"output": 1e-6}], ids=["", "exact", "flat"])
def test_value_and_gradient_are_finite_everywhere(film, beliefs):
    acquisition = mapping(fitted(**beliefs)[0], POOL[:20])
    X = to_tensor(film.points())[None].requires_grad_()
    value = acquisition.value(X)
    (gradient,) = torch.autograd.grad(value.sum(), X)
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()
    assert 0.0 <= acquisition.gain(X).item() <= acquisition.typical_sd
