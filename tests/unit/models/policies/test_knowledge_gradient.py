from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from scipy.stats import norm

from models.dataset import Dataset
from models.policies.knowledge_gradient import FilmKnowledge, contenders
from models.tensors import to_array, to_tensor
from tests.oracles.dense_process import draws, mean_and_error
from tests.oracles.small_campaign import AWKWARD, FLIGHT, NEW, PROBLEM, READ, compositions, film_lab, fitted

POOL = compositions(200)


def knowledge(model, pool=POOL, *, count=4096, devices=5, flight=()):
    films = [to_tensor(film.points()) for film in flight]
    return FilmKnowledge(model.latents(), to_tensor(pool), devices=devices, draws=count, seed=3, flight=films)


def moves(dense, pool, X):
    """How the mean over the pool moves with each reading of a film: by doing it again with every reading changed."""
    y = dense.readings(X)[0]
    before = dense.after(X, y).posterior(pool)[0]
    return np.column_stack([dense.after(X, y + e).posterior(pool)[0] - before for e in np.eye(len(X))])


@pytest.mark.parametrize("row", range(5))
def test_one_device_is_the_quadrature(row):
    """One reading y = m + s t moves the whole mean along one line, of which the best is a function of t alone."""
    model, dense = fitted()
    x = NEW.points()[[row]]
    pool = np.vstack([POOL, x])
    mean, slope = dense.posterior(pool)[0], moves(dense, pool, x)[:, 0]
    sd = np.sqrt(dense.readings(x)[1][0, 0])
    t = np.linspace(-9.0, 9.0, 20_001)  # the best has kinks: an even rule, not an adaptive one
    expected = trapezoid((mean + np.outer(t, slope * sd)).max(axis=1) * norm.pdf(t), t)
    gain = knowledge(model).gain(to_tensor(x)[None]).item()
    assert gain == pytest.approx(expected - mean.max(), rel=0.02, abs=1e-4)


def simulated(dense, X, count=100_000):
    """Gain of a film, by reading it again and again: the best posterior mean afterwards less the one today."""
    mean, covariance = dense.readings(X)
    y, pool = draws(mean, covariance, count, 1), np.vstack([POOL, X])
    best = (dense.posterior(pool)[0] + (y - mean) @ moves(dense, pool, X).T).max(axis=1)
    return mean_and_error(best - dense.posterior(pool)[0].max())


@pytest.mark.parametrize("beliefs", [{}, {"noise": 0.2}, {"film": 0.5}], ids=["as it is", "noisy", "film effect"])
def test_a_film_is_worth_what_simulated_readings_say(beliefs):
    model, dense = fitted(**beliefs)
    expected, error = simulated(dense, NEW.points())
    gain = knowledge(model).gain(to_tensor(NEW.points())[None]).item()
    assert expected > 20 * error
    assert gain == pytest.approx(expected, rel=0.02, abs=4 * error)


def test_beyond_a_film_in_flight_only_what_is_added_counts():
    model, dense = fitted()
    X, in_flight = NEW.points(), FLIGHT.points()
    mean, covariance = dense.readings(in_flight)
    y, pool = draws(mean, covariance, 100_000, 1), np.vstack([POOL, X])
    today = dense.posterior(pool)[0] + (y - mean) @ moves(dense, pool, in_flight).T
    later = dense.after(in_flight, mean)
    z = draws(np.zeros(5), later.readings(X)[1], len(y), 2)
    expected, error = mean_and_error((today + z @ moves(later, pool, X).T).max(axis=1) - today.max(axis=1))
    gain = knowledge(model, flight=[FLIGHT], count=16384).gain(to_tensor(X)[None]).item()
    assert expected > 20 * error
    assert gain == pytest.approx(expected, rel=0.03, abs=4 * error)


def test_a_film_like_one_in_flight_adds_little():
    model, _ = fitted(noise=1e-6, film=1e-6)
    X = to_tensor(NEW.points())[None]
    assert knowledge(model, flight=[NEW]).gain(X).item() < 0.05 * knowledge(model).gain(X).item()


def test_a_repeat_is_worth_something_where_readings_are_noisy_and_nothing_where_they_are_exact():
    X = to_tensor(READ[0].points())[None]
    noisy, exact = fitted(noise=0.2, film=0.2)[0], fitted(noise=1e-9, film=1e-9)[0]
    assert knowledge(noisy).gain(X).item() > 1e-3
    assert knowledge(exact).gain(X).item() < 1e-6


def test_noise_and_a_film_effect_make_a_film_worth_less():
    X = to_tensor(NEW.points())[None]
    by_noise = [knowledge(fitted(noise=noise)[0]).gain(X).item() for noise in (1e-6, 0.05, 0.5, 5.0)]
    by_offset = [knowledge(fitted(film=film)[0]).gain(X).item() for film in (1e-6, 0.5)]
    assert by_noise == sorted(by_noise, reverse=True)
    assert by_noise[-1] < 0.8 * by_noise[0]
    assert by_offset[1] < 0.97 * by_offset[0]


def test_points_left_out_of_the_pool_would_change_little():
    model, dense = fitted()
    pool = compositions(1500)
    kept = to_array(contenders(model.latents()[0], to_tensor(pool), 256))
    assert len(kept) == 256
    mean, _ = dense.posterior(pool)
    assert pool[mean.argmax()].tolist() in kept.tolist()
    y_mean, y_covariance = dense.readings(NEW.points())
    y = draws(y_mean, y_covariance, 2000, 1)
    moved = mean + (y - y_mean) @ moves(dense, pool, NEW.points()).T
    inside = np.isin(pool[:, 0], kept[:, 0])
    whole = moved.max(axis=1).mean() - mean.max()
    assert moved[:, inside].max(axis=1).mean() - mean.max() == pytest.approx(whole, rel=0.05)


def test_the_gradient_is_the_slope():
    acquisition = knowledge(fitted()[0], count=256)
    X = to_tensor(NEW.points())[None].requires_grad_()
    (gradient,) = torch.autograd.grad(acquisition.value(X)[0], X)
    step = 1e-6
    for k, j in [(0, 0), (2, 1), (4, 2)]:
        shift = torch.zeros_like(X)
        shift[0, k, j] = step
        slope = (acquisition.value(X + shift) - acquisition.value(X - shift)).item() / (2 * step)
        assert gradient[0, k, j].item() == pytest.approx(slope, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("film", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("beliefs", [{}, {"noise": 1e-9, "film": 0.0}, {"output": 1e-6}], ids=["", "exact", "flat"])
@pytest.mark.parametrize("points", [1, 2, 200])
def test_value_and_gradient_are_finite_everywhere(film, beliefs, points):
    acquisition = knowledge(fitted(**beliefs)[0], POOL[:points], count=64)
    X = to_tensor(film.points())[None].requires_grad_()
    value = acquisition.value(X)
    (gradient,) = torch.autograd.grad(value.sum(), X)
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()
    assert acquisition.gain(X).item() >= 0.0


def test_a_pool_of_one_point_that_is_the_films_own_has_nothing_to_learn():
    X = NEW.points()[[0]]
    assert knowledge(fitted()[0], X).gain(to_tensor(X)[None]).item() < 1e-12


@pytest.mark.parametrize("far", [True, False], ids=["the pool is better", "the film is better"])
def test_a_pool_that_hangs_together_with_nothing_still_lets_a_film_teach_of_its_own_devices(far):
    """Lengthscales so short that devices and pool know nothing of each other: each device is a draw of its own."""
    model, dense = fitted(lengthscale=1e-3, film=1e-9)
    X = NEW.points()
    order = np.argsort(dense.posterior(model.state.X)[0])
    pool = model.state.X[order[-3:] if far else order[:3]]
    both = np.vstack([pool, X])
    mean, _ = dense.posterior(both)
    assert (mean[:3].max() > mean[3:].max()) == far
    y_mean, covariance = dense.readings(X)
    y = draws(y_mean, covariance, 100_000, 1)
    expected, error = mean_and_error((mean + (y - y_mean) @ moves(dense, both, X).T).max(axis=1) - mean.max())
    gain = knowledge(model, pool).gain(to_tensor(X)[None]).item()
    assert expected > 20 * error
    assert gain == pytest.approx(expected, rel=0.03, abs=4 * error)


def test_equal_readings_are_no_obstacle():
    data = film_lab.measured(PROBLEM, READ)
    level = Dataset(data.X, np.full_like(data.Y, 3.0), data.Yvar, data.films, data.times, data.names)
    acquisition = knowledge(fitted(level)[0], count=64)
    assert torch.isfinite(acquisition.value(to_tensor(NEW.points())[None])).all()


def test_many_films_at_once_are_worth_what_each_is_alone():
    acquisition = knowledge(fitted()[0], count=64)
    films = to_tensor(np.array([film.points() for film in (NEW, FLIGHT, *READ)] * 40))
    alone = [acquisition.gain(films[k : k + 1]).item() for k in range(4)]
    np.testing.assert_allclose(to_array(acquisition.gain(films)), alone * 40, rtol=1e-9)


def test_several_processes_count_alike():
    one, other = fitted()[0].latents(), fitted(lengthscale=0.2)[0].latents()
    X, pool = to_tensor(NEW.points())[None], to_tensor(POOL)
    gains = [
        FilmKnowledge(latents, pool, devices=5, draws=8192, seed=3).gain(X).item()
        for latents in (one, other, (*one, *other))
    ]
    assert gains[2] == pytest.approx((gains[0] + gains[1]) / 2.0, rel=0.03)


def test_noise_by_position_counts_where_the_whole_film_is_asked_for():
    """Devices that cannot be read well are worth less; a film in part is scored as if positions were unknown."""
    (latent,) = fitted()[0].latents()

    def noise(X, positions):
        return (
            torch.full(X.shape[:-1], 1e-3, dtype=X.dtype)
            if positions is None
            else (100.0 * positions).expand(X.shape[:-1])
        )

    process, positions = replace(latent, noise=noise), to_tensor(np.linspace(0.0, 1.0, 5))
    blind = FilmKnowledge([process], to_tensor(POOL), devices=5, draws=256, seed=3)
    seeing = FilmKnowledge([process], to_tensor(POOL), devices=5, draws=256, seed=3, positions=positions)
    X = to_tensor(NEW.points())[None]
    assert seeing.gain(X).item() < 0.8 * blind.gain(X).item()
    assert seeing.gain(X[:, ::2]).item() == blind.gain(X[:, ::2]).item()
