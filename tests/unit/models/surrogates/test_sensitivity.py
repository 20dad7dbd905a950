import numpy as np
import pytest
import torch

from models.composition import CategoricalVariable, ContinuousVariable, ElementBounds, SearchSpace
from models.surrogates.sensitivity import Step, change_moments, sensitivity, steps, towards
from models.tensors import to_array, to_tensor
from models.train import train
from tests.oracles import small_lab
from tests.unit.models.surrogates.test_film_gp import model

SPACE = SearchSpace(
    elements=("Fe", "Ga", "Pd"),
    process=(
        CategoricalVariable(name="gas", choices=("Ar", "N2")),
        ContinuousVariable(name="anneal", unit="K", lower=300.0, upper=900.0),
    ),
)


def conditioning(gp):
    return gp._sets[0][0].conditioning


def test_one_percent_more_of_an_element_keeps_the_ratios_of_the_others():
    found = {step.variable: step for step in steps(SPACE)}
    assert set(found) == {"Fe", "Ga", "Pd", "anneal"}
    for k, element in enumerate(SPACE.elements):
        before, after = found[element].before, found[element].after
        np.testing.assert_allclose(after[:, k] - before[:, k], 0.01, atol=1e-12)
        np.testing.assert_allclose(after[:, :3].sum(1), 1.0, atol=1e-12)
        others = [j for j in range(3) if j != k]
        np.testing.assert_allclose(
            before[:, others[0]] * after[:, others[1]], before[:, others[1]] * after[:, others[0]], atol=1e-12
        )
        np.testing.assert_array_equal(before[:, 3:], after[:, 3:])
    anneal = found["anneal"]
    np.testing.assert_array_equal(anneal.after[:, 5] - anneal.before[:, 5], 0.5)
    assert (anneal.per, anneal.size) == ("K", 300.0)


def test_a_dilute_alloy_is_stepped_inside_the_simplex_and_a_pure_element_not_at_all():
    dilute = SearchSpace(elements=("Fe", "B", "C"), bounds=(ElementBounds(element="Fe", lower=0.992),))
    for step in steps(dilute):
        points = np.vstack([step.before, step.after])
        assert len(step.before)
        assert (points > -1e-12).all()
        np.testing.assert_allclose(points.sum(1), 1.0, atol=1e-12)
    pure = SearchSpace(elements=("Fe", "B"), bounds=(ElementBounds(element="Fe", lower=1.0),))
    assert [step.variable for step in steps(pure)] == ["B"]


def test_the_changes_have_the_moments_of_the_joint_posterior():
    gp, rng = model(), np.random.default_rng(0)
    before, after = rng.random((5, 4)), rng.random((5, 4))
    mean, covariance = change_moments(conditioning(gp), before, after)
    both = gp.state.lower + gp.state.width * np.vstack([before, after])
    normal = gp.posterior(to_tensor(both)).distribution
    difference = np.hstack([-np.eye(5), np.eye(5)])
    np.testing.assert_allclose(mean, difference @ to_array(normal.mean), atol=1e-9)
    expected = difference @ to_array(normal.covariance_matrix) @ difference.T
    np.testing.assert_allclose(covariance, expected, atol=1e-5)


def test_a_small_change_is_the_directional_derivative():
    gp = model()
    x = np.array([[0.4, 0.35, 0.25, 0.5]])
    before, after = x.copy(), x.copy()
    before[:, :3], after[:, :3] = (towards(x[:, :3], 0, np.array([0.4 + t])) for t in (-5e-5, 5e-5))
    mean, _ = change_moments(conditioning(gp), *((p - gp.state.lower) / gp.state.width for p in (before, after)))
    point = to_tensor(x).requires_grad_()
    (gradient,) = np.array(to_array(_gradient(gp, point)))
    direction = (np.array([1.0, 0.0, 0.0]) - x[0, :3]) / (1.0 - 0.4)
    assert mean[0] / 1e-4 == pytest.approx(gradient[:3] @ direction, rel=1e-3)


def _gradient(gp, point):
    return torch.autograd.grad(gp.posterior(point).mean.sum(), point)[0]


def test_a_step_that_changes_nothing_has_no_effect_and_a_known_slope_is_found():
    gp = model()
    x = small_lab.probe(10)
    still = sensitivity(Step("Fe", "at.%", x, x), [conditioning(gp)], gp.state.scaled, 1.0)
    assert still["size"] == pytest.approx(0.0, abs=1e-4)
    # The lab's property rises by exactly 1 V over the 600 K of the anneal.
    problem = small_lab.problem()
    bundle = train(problem, small_lab.dataset(12, offset=0.0, noise=0.01), seed=0)
    found = {row["variable"]: row for row in bundle.metrics["sensitivities"]["signal"]}
    assert found["anneal"]["change"] * 600.0 == pytest.approx(1.0, abs=4 * found["anneal"]["change_sd"] * 600.0 + 0.05)
    assert found["anneal"]["rises_at"] > 0.5
    assert found["anneal"]["falls_at"] == 0.0


def test_a_property_that_is_minimised_keeps_its_own_sign():
    data = small_lab.dataset(6)
    up, down = (
        train(small_lab.problem(direction=way), data, seed=0).metrics["sensitivities"]["signal"]
        for way in ("maximise", "minimise")
    )
    for one, other in zip(up, down, strict=True):
        assert one["change"] == pytest.approx(other["change"], abs=0.3 * abs(one["size"]))
