import numpy as np
import pytest
import torch

from models.catalog import MeanExpectedImprovement
from models.composition import LinearRule, SearchSpace
from models.film import FilmGeometry, film_violations
from models.policies.film_reading import latents_after_flight
from models.policies.mean_expected_improvement import MeanExpectedImprovementPolicy, MeanImprovement
from models.tensors import to_tensor
from tests.oracles.dense_process import DenseProcess
from tests.oracles.ei_quadrature import gain_over_value
from tests.oracles.small_campaign import AWKWARD, BELIEFS, FLIGHT, NEW, PROBLEM, READ, film_lab, fitted, question


def improvement(model, flight=()):
    points = np.vstack([model.state.X, *(film.points() for film in flight)])
    return MeanImprovement(latents_after_flight(question(model, pending=flight)), to_tensor(points))


def expected(dense, X, reference):
    best = dense.posterior(reference)[0].max()
    mean, covariance = dense.posterior(X)
    return np.mean([gain_over_value(m, v, best) for m, v in zip(mean, covariance.diagonal(), strict=True)])


def test_it_is_the_mean_of_the_quadratures_of_its_devices():
    model, dense = fitted()
    got = improvement(model).gain(to_tensor(NEW.points())[None]).item()
    assert got == pytest.approx(expected(dense, NEW.points(), model.state.X), rel=1e-3)


def test_a_film_in_flight_counts_as_read_with_what_is_expected_of_it():
    model, dense = fitted()
    later = dense.after_mean(FLIGHT.points())
    reference = np.vstack([model.state.X, FLIGHT.points()])
    got = improvement(model, [FLIGHT]).gain(to_tensor(NEW.points())[None]).item()
    assert got == pytest.approx(expected(later, NEW.points(), reference), rel=1e-3)


def test_several_processes_count_alike():
    one, other = fitted()[0].latents(), fitted(lengthscale=0.2)[0].latents()
    X, reference = to_tensor(NEW.points())[None], to_tensor(np.vstack([film.points() for film in READ]))
    gains = [MeanImprovement(latents, reference).gain(X).item() for latents in (one, other, (*one, *other))]
    assert gains[2] == pytest.approx((gains[0] + gains[1]) / 2.0)


def test_a_device_counts_by_its_chance_to_work():
    model, _ = fitted()
    X, reference = to_tensor(NEW.points())[None], to_tensor(model.state.X)
    chances = np.array([0.9, 0.5, 0.0, 1.0, 0.2])
    alone = [improvement(model).gain(X[:, [k]]).item() for k in range(5)]
    weighed = MeanImprovement(model.latents(), reference, chances=lambda X: to_tensor(chances).expand(X.shape[:-1]))
    assert weighed.gain(X).item() == pytest.approx(np.mean(chances * alone), rel=1e-4)


@pytest.mark.parametrize("film", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("beliefs", [{}, {"noise": 1e-9, "film": 0.0}, {"output": 1e-9}], ids=["", "exact", "flat"])
def test_value_and_gradient_are_finite_everywhere(film, beliefs):
    acquisition = improvement(fitted(**beliefs)[0])
    X = to_tensor(film.points())[None].requires_grad_()
    value = acquisition.value(X)
    (gradient,) = torch.autograd.grad(value.sum(), X)
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()
    assert acquisition.gain(X).item() >= 0.0


def two_step(**changed):
    problem = PROBLEM.model_copy(update={"film": PROBLEM.film.model_copy(update=changed)})
    model = film_lab.surrogate(problem, film_lab.measured(problem, READ))
    policy = MeanExpectedImprovementPolicy(MeanExpectedImprovement(rule="two_step", raw_films=64, restarts=1))
    return policy.recommend(question(model, problem=problem)), DenseProcess.of(model, **BELIEFS), model


@pytest.mark.parametrize("changed", [{"grading": "pair"}, {"grading": "free", "span_max": 0.3}, {"span_min": 0.2}])
def test_two_steps_end_at_a_pair_film_with_a_device_at_the_best_single_point(changed):
    answer, dense, model = two_step(**changed)
    assert "through the best single point" in answer.reason
    film = answer.film
    assert (np.abs(film.a - film.b) > 1e-9).sum() == 2
    best = dense.posterior(model.state.X)[0].max()

    def gain(points):
        mean, covariance = dense.posterior(points)
        return np.array([gain_over_value(m, v, best) for m, v in zip(mean, covariance.diagonal(), strict=True)])

    elsewhere = np.random.default_rng(0).dirichlet(np.ones(3), 300)
    assert gain(film.points()).max() > 0.97 * gain(elsewhere).max()


def test_two_steps_fall_back_on_all_films_where_none_goes_through_a_good_point():
    """A and B must be alike, so no two elements can trade: there are films, but no pair film."""
    alike = LinearRule(name="A like B", coefficients={"A": 1.0, "B": -1.0}, lower=-0.02, upper=0.02)
    geometry = FilmGeometry(devices=5, grading="free", span_min=0.2)
    options = MeanExpectedImprovement(rule="two_step", raw_films=64, restarts=1)
    problem = film_lab.problem_of(SearchSpace(elements=("A", "B", "C"), linear=(alike,)), geometry, options)
    model = film_lab.surrogate(problem, film_lab.measured(problem, READ))
    answer = MeanExpectedImprovementPolicy(options).recommend(question(model, problem=problem))
    assert "as no film goes through the best single points" in answer.reason
    assert film_violations(answer.film, problem.space, geometry) == []
