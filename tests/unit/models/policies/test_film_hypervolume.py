import numpy as np
import pytest
import torch

from models.policies.film_acquisition import FilmImprovement
from models.policies.film_hypervolume import Aim, FilmHypervolume, Limits
from models.tensors import to_array, to_tensor
from tests.oracles import film_lab, trade_off_lab
from tests.oracles.hypervolume import hypervolume
from tests.oracles.listed_lab import drawn

KNOWN = np.vstack([film.points() for film in trade_off_lab.FILMS])
CASES = [(1, True), (2, False), (2, True), (3, False), (3, True), (4, True)]


def fitted(objectives=2, *, limited=False, **beliefs):
    problem = trade_off_lab.problem(objectives, limited=limited)
    return film_lab.surrogate(problem, trade_off_lab.measured(problem), **beliefs)


def frame(model, objectives):
    """Reference and width of each objective: the worst reading and the range of them."""
    Y = model.state.Y[:, :objectives]
    return Y.min(axis=0), np.ptp(Y, axis=0)


def acquisition(model, objectives=2, *, limited=False, draws=1024, upper=0.8, known=KNOWN, seed=3, chances=None):
    reference, width = frame(model, objectives)
    aims = [Aim(model.latents(k), float(reference[k]), float(width[k])) for k in range(objectives)]
    limits = [Limits(model.latents(objectives), -np.inf, upper)] if limited else []
    return FilmHypervolume(aims, limits, to_tensor(known), devices=5, draws=draws, seed=seed, chances=chances)


@pytest.mark.parametrize(("objectives", "limited"), CASES)
def test_a_film_adds_what_brute_force_says(objectives, limited):
    model = fitted(objectives, limited=limited)
    reference, width = frame(model, objectives)
    values = drawn(model, np.vstack([KNOWN, trade_off_lab.NEW]), draws=1500 if objectives == 4 else 6000, seed=1)
    F = (values[..., :objectives] - reference) / width
    if limited:
        F[values[..., objectives] > 0.8] = 0.0
    added = hypervolume(F) - hypervolume(F[:, : len(KNOWN)])
    gain = acquisition(model, objectives, limited=limited, draws=4096).gain(to_tensor(trade_off_lab.NEW)[None]).item()
    error = added.std() / np.sqrt(len(added))
    assert added.mean() > 8 * error
    assert gain == pytest.approx(added.mean(), abs=4 * error)


def test_with_one_objective_and_no_limit_it_is_the_expected_improvement():
    model = fitted(1)
    width = frame(model, 1)[1][0]
    usual = FilmImprovement(model.latents(), to_tensor(KNOWN), devices=5, draws=1024, seed=3)
    X = to_tensor(trade_off_lab.NEW)[None]
    expected = model.state.scale[0] * usual.gain(X).item() / width
    assert acquisition(model, 1).gain(X).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_the_smoothed_value_is_the_logarithm_of_the_gain(objectives):
    acq = acquisition(fitted(objectives, limited=True), objectives, limited=True)
    X = to_tensor(trade_off_lab.NEW)[None]
    assert acq.value(X).exp().item() == pytest.approx(acq.gain(X).item(), rel=0.02)


def test_more_devices_never_gain_less():
    acq = acquisition(fitted(3), 3, draws=128)
    gains = [acq.gain(to_tensor(trade_off_lab.NEW[:k])[None]).item() for k in range(1, 6)]
    assert gains == sorted(gains)


def test_a_film_in_flight_leaves_less_to_gain_beside_it():
    model, X = fitted(), to_tensor(trade_off_lab.NEW)[None]
    beside = np.vstack([KNOWN, trade_off_lab.NEW + np.array([1e-3, -1e-3, 0.0])])
    assert acquisition(model, known=beside).gain(X).item() < 0.3 * acquisition(model).gain(X).item()


def test_a_limit_that_nothing_keeps_leaves_no_gain_but_a_slope():
    model = fitted(limited=True)
    acq = acquisition(model, limited=True, upper=-50.0, draws=64)
    X = to_tensor(trade_off_lab.NEW)[None].requires_grad_()
    (gradient,) = torch.autograd.grad(acq.value(X).sum(), X)
    assert acq.gain(X).item() == 0.0
    assert torch.isfinite(acq.value(X)).all()
    assert float(gradient.abs().max()) > 0.0


def test_the_gradient_is_the_slope():
    acq = acquisition(fitted(3, limited=True), 3, limited=True, draws=128)
    X = to_tensor(trade_off_lab.NEW)[None].requires_grad_()
    (gradient,) = torch.autograd.grad(acq.value(X)[0], X)
    step = 1e-6
    for k, j in [(0, 0), (2, 1), (4, 2)]:
        shift = torch.zeros_like(X)
        shift[0, k, j] = step
        slope = (acq.value(X + shift) - acq.value(X - shift)).item() / (2 * step)
        assert gradient[0, k, j].item() == pytest.approx(slope, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("objectives", [2, 4])
@pytest.mark.parametrize(
    "points",
    [
        np.tile([0.4, 0.3, 0.3], (5, 1)),
        KNOWN[[3] * 5],
        KNOWN[:5] + 1e-9 * np.arange(5)[:, None],
        trade_off_lab.NEW[:1],
    ],
    ids=["uniform", "repeated", "neighbouring", "one device"],
)
def test_value_and_gradient_are_finite(objectives, points):
    acq = acquisition(fitted(objectives, limited=True, noise=1e-8), objectives, limited=True, draws=64)
    X = to_tensor(points)[None].requires_grad_()
    value = acq.value(X)
    (gradient,) = torch.autograd.grad(value.sum(), X)
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()


def test_value_and_gradient_are_finite_where_nothing_is_left_to_gain():
    """A model that is sure, and a film at readings that others beat in everything; one known point is enough."""
    model = fitted(output=1e-3, noise=1e-4, film=0.0)
    reference, width = frame(model, 2)
    aims = [Aim(model.latents(k), float(reference[k]), float(width[k])) for k in range(2)]
    above = (model.state.Y - reference) / width
    best, worst = int(above.min(axis=1).argmax()), int(above.sum(axis=1).argmin())
    acq = FilmHypervolume(aims, [], to_tensor(model.state.X[[best]]), devices=5, draws=64, seed=0)
    X = to_tensor(model.state.X[[worst] * 5])[None].requires_grad_()
    (gradient,) = torch.autograd.grad(acq.value(X).sum(), X)
    assert acq.gain(X).item() == 0.0
    assert torch.isfinite(acq.value(X)).all()
    assert torch.isfinite(gradient).all()


def test_averaged_components_share_the_draws():
    model = fitted()
    reference, width = frame(model, 2)
    aims = [Aim(model.latents(k) * 3, float(reference[k]), float(width[k])) for k in range(2)]
    acq = FilmHypervolume(aims, [], to_tensor(KNOWN), devices=5, draws=3072, seed=0)
    X = to_tensor(trade_off_lab.NEW)[None]
    assert acq.gain(X).item() == pytest.approx(acquisition(model, draws=4096).gain(X).item(), rel=0.05)


def test_devices_that_may_be_dead_count_as_in_every_way_they_can_live():
    """Over all 32 ways in which 5 devices live or die, each with its probability."""
    alive = np.array([0.9, 0.2, 0.6, 1.0, 0.5])
    model = fitted()
    acq = acquisition(model, draws=256, chances=lambda X: to_tensor(alive).expand(len(X), 5))
    part = acquisition(model, draws=256)._reached
    reach = to_array(part.reach(to_tensor(trade_off_lab.NEW)[None], smooth=False))[0]
    expected = 0.0
    for number in range(32):
        lives = np.array([number >> k & 1 for k in range(5)], dtype=bool)
        if lives.any():
            chance = np.prod(np.where(lives, alive, 1.0 - alive))
            far = np.maximum(reach[lives].max(axis=0), 0.0)
            expected += chance * np.maximum(far**2 - to_array(part.known) ** 2, 0.0).mean()
    X = to_tensor(trade_off_lab.NEW)[None].requires_grad_()
    assert acq.gain(X).item() == pytest.approx(expected, rel=1e-6)
    assert acq.value(X).exp().item() == pytest.approx(expected, rel=0.02)
    assert torch.isfinite(torch.autograd.grad(acq.value(X).sum(), X)[0]).all()
