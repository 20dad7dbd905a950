"""Totals of groups of elements as columns of the model, against algebra that sums the fractions itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.composition import ContinuousVariable, ElementBounds, GroupRule, SearchSpace
from models.dataset import Dataset
from models.objective import Objective
from models.problem import Problem
from models.surrogates.base import ModelBundle, columns_of
from models.surrogates.evidence import CONSTANT_VARIANCE, NUGGET, POSTERIOR_JITTER
from models.surrogates.film_gp import FilmGP
from models.surrogates.fitting import Fit
from models.surrogates.hyperparameters import ALIKE, Layout, log_prior, prior_covariance
from models.surrogates.noise_fitting import log_posterior
from models.surrogates.predictor import Predictor
from models.surrogates.scaling import group_totals, space_ranges, total_ranges, with_totals
from models.tensors import to_tensor
from models.train import train
from tests.oracles.gp_oracle import DenseFilmGP

ELEMENTS = ("Fe", "Co", "Ni", "Ta", "W")
HEAVY = GroupRule(name="heavy", elements=("Ta", "W"), lower=0.05, upper=0.3)
SPACE = SearchSpace(
    elements=ELEMENTS, groups=(HEAVY,), process=(ContinuousVariable(name="anneal", unit="K", lower=300, upper=900),)
)
SD = 0.01


def group(*elements, upper=0.95):
    return GroupRule(name="-".join(elements), elements=elements, upper=upper)


def problem(*, composition_sd=0.0, averaging=8):
    noise = {"composition_sd": composition_sd}
    return Problem(
        space=SPACE,
        objectives=(Objective(property="signal", unit="V"),),
        surrogate={"name": "film_gp", "noise": noise, "averaging": averaging},
    )


def points(count, seed):
    """Legal device points, `count x 6`."""
    rng = np.random.default_rng(seed)
    heavy = rng.uniform(0.05, 0.3, (count, 1))
    light, share = rng.dirichlet(np.ones(3), count), rng.uniform(size=(count, 1))
    return np.hstack([(1.0 - heavy) * light, heavy * share, heavy * (1.0 - share), rng.uniform(size=(count, 1))])


def dataset(films=6, devices=5, *, dead=()):
    """Readings of a property that falls with the total of Ta and W, on films of random points."""
    n, rng = films * devices, np.random.default_rng(3)
    X = points(n, seed=2)
    y = np.exp(-(((X[:, 3] + X[:, 4]) / 0.15) ** 2)) + X[:, 0] * X[:, 5] + 0.02 * rng.standard_normal(n)
    y[list(dead)] = np.nan
    names = np.repeat([f"film-{k}" for k in range(films)], devices)
    uids = np.array([f"r{k:03d}" for k in range(n)])
    gone = np.isin(np.arange(n), list(dead))
    return Dataset(X, y[:, None], np.full((n, 1), np.nan), names, np.arange(n, dtype=float), uids, dead=gone)


@pytest.fixture(scope="module")
def trained():
    return train(problem(averaging=1), dataset(), seed=0).surrogate


@pytest.fixture(scope="module")
def misread():
    return train(problem(composition_sd=SD, averaging=1), dataset(), seed=0).surrogate


def columns(X):
    """Points with the sum of Ta and W, in widths that were worked out by hand."""
    low = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.05])
    width = np.array([0.95, 0.95, 0.95, 0.3, 0.3, 1.0, 0.25])
    return (np.column_stack([X, X[:, 3] + X[:, 4]]) - low) / width


def test_totals_that_say_nothing_new_are_no_columns():
    groups = (
        group("Ta", "W"),
        group("W", "Ta"),  # the same elements again
        group("Fe", "Co", "Ni"),  # what the first leaves
        group("Fe"),  # an element
        group("Fe", "Co", "Ni", "Ta"),  # all but one
        GroupRule(name="all", elements=ELEMENTS, lower=0.5),  # always 1
        group("Co", "W"),
        GroupRule(name="either", elements=("Fe", "Ta"), max_present=1),  # says nothing of a total
    )
    totals = group_totals(SearchSpace(elements=ELEMENTS, groups=groups))
    np.testing.assert_array_equal(totals, [[0, 0, 0, 1, 1], [0, 1, 0, 0, 1]])
    assert group_totals(SearchSpace(elements=ELEMENTS)).size == 0


def test_what_is_fixed_is_no_column():
    fixed = HEAVY.model_copy(update={"lower": 0.2, "upper": 0.2})
    assert group_totals(SearchSpace(elements=ELEMENTS, groups=(fixed,))).size == 0
    held = ElementBounds(element="W", lower=0.1, upper=0.1)
    assert group_totals(SearchSpace(elements=ELEMENTS, bounds=(held,), groups=(HEAVY,))).size == 0
    three = group("Co", "Ta", "W", upper=0.5)
    assert len(group_totals(SearchSpace(elements=ELEMENTS, bounds=(held,), groups=(three,)))) == 1


def test_totals_reach_as_far_as_all_rules_let_them():
    low, width = total_ranges(SPACE)
    np.testing.assert_allclose([low, width], [[0.05], [0.25]], atol=1e-9)
    light = SearchSpace(elements=ELEMENTS, groups=(group("Fe", "Co"), GroupRule(name="x", elements=("Fe",), lower=0.2)))
    np.testing.assert_allclose(total_ranges(light), [[0.2], [0.75]], atol=1e-9)


def test_a_space_without_groups_has_the_columns_it_had():
    X = points(4, seed=0)
    assert with_totals(X, np.empty((0, 0))) is X
    np.testing.assert_array_equal(space_ranges(SPACE)[1], [0.95, 0.95, 0.95, 0.3, 0.3, 1.0])


def oracle(gp):
    s, h = gp.state, gp.hyperparameters[0]
    data = s.readings(0)
    return DenseFilmGP(
        x=columns(s.X),
        y=(s.Y[:, 0] - s.centre[0]) / s.scale[0],
        noise=data.inflation * (data.inferred(h)) + data.added + NUGGET,
        film=s.film,
        lengthscales=h.lengthscales,
        output_variance=h.output_variance,
        film_variance=h.film_variance,
        constant_variance=CONSTANT_VARIANCE,
    )


def test_posterior_is_that_of_dense_algebra(trained):
    X = points(7, seed=5)
    mean, covariance = oracle(trained).posterior(columns(X))
    normal = trained.posterior(to_tensor(X)).distribution
    variance = trained.hyperparameters[0].output_variance + CONSTANT_VARIANCE
    np.testing.assert_allclose(normal.mean, mean, atol=1e-9)
    np.testing.assert_allclose(
        normal.covariance_matrix, covariance + POSTERIOR_JITTER * variance * np.eye(7), atol=1e-9
    )


def test_acquisitions_see_the_same_process_with_its_slope(trained):
    X, latent = points(7, seed=6), trained.latents()[0]
    mean, covariance = oracle(trained).posterior(columns(X))
    assert latent.points.shape == trained.state.X.shape
    np.testing.assert_allclose(latent.mean(to_tensor(X)), mean, atol=1e-9)
    np.testing.assert_allclose(latent.covariance(to_tensor(X), to_tensor(X)), covariance, atol=1e-9)
    x = to_tensor(X).requires_grad_()
    (slope,) = torch.autograd.grad(latent.mean(x).sum(), x)
    steps = 1e-5 * np.eye(6)
    ahead, behind = (
        np.array([oracle(trained).posterior(columns(X + sign * e))[0] for e in steps]).T for sign in (1.0, -1.0)
    )
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-5, rtol=1e-4, atol=1e-6)


def test_an_error_of_the_composition_moves_the_total_too(misread):
    """What it adds, by central differences of the mean along every fraction."""
    X, s = points(5, seed=7), misread.state
    steps = np.hstack([1e-5 * np.eye(5), np.zeros((5, 1))])
    slope = np.array([(misread.predict(X + e).mean - misread.predict(X - e).mean)[:, 0] / 2e-5 for e in steps]).T
    centred = np.eye(5) - 0.2
    expected = SD**2 * np.einsum("qi,ij,qj->q", slope, centred, slope)
    still = Predictor.from_arrays(replace(s, composition_error=np.empty(0)).arrays()).predict(X).noise_sd[:, 0]
    told = Predictor.from_arrays(s.arrays()).predict(X).noise_sd[:, 0]
    np.testing.assert_allclose(told**2 - still**2, expected, rtol=1e-3, atol=1e-10)
    noise = misread.latents()[0].noise(to_tensor(X), None)
    np.testing.assert_allclose(s.scale[0] * noise.sqrt(), told, rtol=1e-6)


@pytest.mark.parametrize("model", ["trained", "misread"])
def test_a_stored_model_answers_the_same(model, request):
    gp, X = request.getfixturevalue(model), points(6, seed=8)
    again, without_torch = FilmGP.from_arrays(gp.arrays()), Predictor.from_arrays(gp.arrays())
    np.testing.assert_array_equal(again.predict(X).mean, gp.predict(X).mean)
    np.testing.assert_allclose(without_torch.predict(X).mean, gp.predict(X).mean, rtol=1e-9)
    np.testing.assert_allclose(without_torch.predict(X).latent_sd, gp.predict(X).sd, rtol=1e-6)


def test_a_model_stored_before_there_were_totals_answers_as_it_did():
    free = problem().model_copy(update={"space": SPACE.model_copy(update={"groups": ()})})
    gp, X = train(free, dataset(), seed=0).surrogate, points(6, seed=9)
    arrays = {name: array for name, array in gp.arrays().items() if name != "totals"}
    np.testing.assert_array_equal(FilmGP.from_arrays(arrays).predict(X).mean, gp.predict(X).mean)


def test_one_lengthscale_more_is_fitted_and_averaged_over():
    gp = train(problem(), dataset(), seed=0).surrogate
    assert {len(h.lengthscales) for h in gp.state.sets(0)} == {7}
    assert len({h.lengthscales[6] for h in gp.state.sets(0)}) > 1


def other(*groups):
    """The problem with other groups."""
    return problem(averaging=1).model_copy(update={"space": SPACE.model_copy(update={"groups": groups})})


def test_readings_are_conditioned_on_in_the_columns_of_the_fit(trained):
    data, X = dataset(), points(3, seed=1)
    for groups in ((), (group("Co", "W"),), (HEAVY, group("Co", "W"))):
        now = trained.condition(other(*groups), data)
        np.testing.assert_array_equal(now.state.totals, trained.state.totals)
        np.testing.assert_allclose(now.predict(X).mean, trained.predict(X).mean, rtol=1e-5)


@pytest.mark.parametrize("groups", [(), (group("Co", "W"),), (HEAVY, group("Co", "W"))])
def test_a_fit_after_one_in_other_columns_is_a_fit_anew(trained, groups):
    """With the starts of a fit that knows no other."""
    before = ModelBundle(trained, columns_of(problem()), 0, {}, "", {})
    data, X = dataset(), points(5, seed=2)
    warm, cold = (train(other(*groups), data, seed=0, previous=p).surrogate for p in (before, None))
    assert len(warm.hyperparameters[0].lengthscales) == 6 + len(groups)
    np.testing.assert_array_equal(warm.predict(X).mean, cold.predict(X).mean)


def test_a_total_is_expected_to_matter_like_the_elements():
    """In the fit and wherever fits are compared: its lengthscale is drawn with theirs."""
    layout = Layout(7, elements=5, totals=1)
    scales = prior_covariance(layout.priors())
    assert scales[0, 6] == scales[0, 1] == pytest.approx(ALIKE * scales[0, 0])
    assert scales[5, 6] == scales[5, 0] == 0.0


def test_fits_are_compared_by_the_prior_that_they_were_made_with(trained):
    data = trained.state.readings(0)
    h = replace(trained.hyperparameters[0], noise_spread=0.0, noise_weights=np.empty(0))
    found = Fit(h, 3.0, len(data.y), 1, 1, warm=False)
    expected = log_prior(h.theta(), Layout(7, elements=5, totals=1).priors())[0]
    assert log_posterior(data, found, 5, 1) == pytest.approx(3.0 + expected)
    assert log_posterior(data, found, 5, 1) != pytest.approx(log_posterior(data, found, 5), abs=1e-3)


def test_dead_devices_are_no_matter_of_totals():
    gp, X = train(problem(), dataset(dead=(0, 3, 11, 17)), seed=0).surrogate, points(6, seed=4)
    state, survival = gp.state, gp.survival()
    chance = state.yield_model.probability(state.plain(state.scaled(X)), np.full(6, np.nan))
    np.testing.assert_allclose(survival(to_tensor(X), None), chance, rtol=1e-9)
