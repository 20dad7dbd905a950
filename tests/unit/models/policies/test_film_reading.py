import numpy as np
import pytest
import torch

from models.policies.film_reading import FilmReading, after, latents_after_flight
from models.tensors import to_array, to_tensor
from tests.oracles.small_campaign import FLIGHT, NEW, READ, compositions, fitted, question

AT = compositions(7)


def test_the_mean_moves_by_as_much_as_the_covariance_falls():
    model, dense = fitted()
    (latent,) = model.latents()
    at = to_tensor(AT)
    W = to_array(FilmReading(latent, to_tensor(NEW.points())[None]).change(at, latent.half(at)))[0]
    before, left = dense.posterior(AT)[1], dense.after_mean(NEW.points()).posterior(AT)[1]
    np.testing.assert_allclose(W @ W.T, before - left, atol=2e-6)


def test_the_films_own_devices_move_as_any_other_point_would():
    (latent,) = fitted()[0].latents()
    X = to_tensor(NEW.points())
    reading = FilmReading(latent, X[None])
    np.testing.assert_allclose(to_array(reading.own_change()), to_array(reading.change(X, latent.half(X))), atol=1e-12)


@pytest.mark.parametrize("flight", [[FLIGHT], [FLIGHT, READ[0]], [FLIGHT, FLIGHT, NEW]])
def test_a_film_in_flight_leaves_the_mean_and_takes_the_variance_that_its_readings_will_take(flight):
    model, dense = fitted()
    (latent,) = model.latents()
    later = after(latent, [to_tensor(film.points()) for film in flight])
    mean, _ = dense.posterior(AT)
    for film in flight:
        dense = dense.after_mean(film.points())
    at = to_tensor(AT)
    np.testing.assert_allclose(to_array(later.mean(at)), mean, atol=3e-5)
    np.testing.assert_allclose(to_array(later.covariance(at, at)), dense.posterior(AT)[1], atol=3e-5)


def test_devices_of_one_film_share_their_offset_and_those_of_two_films_do_not():
    """The level of f along a film is known worse than from films of one device each, the shape along it better."""
    model, _ = fitted(film=0.5)
    (latent,) = model.latents()
    points = to_tensor(NEW.points())
    together = after(latent, [points]).covariance(points, points)
    apart = after(latent, list(points[:, None, :])).covariance(points, points)
    assert together.mean() > 2.0 * apart.mean()
    shape = torch.tensor([1.0, -0.5, -1.0, -0.5, 1.0], dtype=points.dtype)
    assert shape @ together @ shape < 0.1 * (shape @ apart @ shape)


def test_nothing_in_flight_changes_nothing():
    model, _ = fitted()
    (latent,) = model.latents()
    assert after(latent, []) is latent


def test_in_a_film_of_many_devices_sixteen_count():
    model, _ = fitted()
    long = type(NEW)(NEW.a, NEW.b, NEW.process, np.linspace(0.0, 1.0, 40))
    (latent,) = latents_after_flight(question(model, pending=[long]))
    assert len(latent.points) == len(model.latents()[0].points) + 16
