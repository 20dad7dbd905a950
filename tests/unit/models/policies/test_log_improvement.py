import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from models.policies.log_improvement import log_improvement


@pytest.mark.parametrize("u", [-6.0, -3.0, -1.001, -1.0, -0.5, 0.0, 1.0, 8.0, 40.0])
def test_it_is_the_logarithm_of_the_quadrature(u):
    expected, _ = quad(lambda t: t * norm.pdf(t, u, 1.0), max(0.0, u - 12.0), max(u, 0.0) + 12.0, epsabs=1e-16)
    assert log_improvement(torch.tensor(u, dtype=torch.float64)).item() == pytest.approx(np.log(expected), abs=1e-9)


def test_far_below_it_is_the_tail_of_the_normal_density():
    """phi(u) / u^2 (1 - 3 / u^2 + ...): the numbers themselves are 0 in double precision."""
    for u in (-50.0, -1e3, -1e5, -1e7, -1e12):
        expected = -0.5 * u * u - 0.5 * np.log(2.0 * np.pi) - 2.0 * np.log(-u) + np.log1p(-3.0 / u**2)
        assert log_improvement(torch.tensor(u, dtype=torch.float64)).item() == pytest.approx(
            expected, rel=1e-12, abs=1e-5
        )


def test_value_and_slope_are_finite_and_rise_everywhere():
    u = torch.tensor([-1e30, -1e8, -1e6, -1e3, -10.0, -1.0, 0.0, 10.0, 1e8], dtype=torch.float64, requires_grad=True)
    value = log_improvement(u)
    (slope,) = torch.autograd.grad(value.sum(), u)
    assert torch.isfinite(value).all()
    assert torch.isfinite(slope).all()
    assert (slope > 0.0).all()
    assert (value.diff() > 0.0).all()


def test_the_slope_is_the_difference_quotient_on_both_sides_of_each_turn():
    for at in (-1e3, -1.0 - 1e-3, -1.0 + 1e-3, 0.3):
        u = torch.tensor(at, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(log_improvement(u), u)
        step = 1e-5 * max(1.0, abs(at))
        ends = log_improvement(torch.tensor([at - step, at + step], dtype=torch.float64))
        assert slope.item() == pytest.approx((ends[1] - ends[0]).item() / (2.0 * step), rel=1e-5)
