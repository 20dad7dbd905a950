"""The hurdle likelihood of a composition, and the divergences of the variational bound.

| symbol | meaning | shape |
| --- | --- | --- |
| x, a | fractions; which elements are present | b x d, b x d |
| π | presence: log odds | b x d |
| f, c | scores of the fractions; concentration | b x d, b |
| μ, ν | mean and log variance of the code z | b x l |
"""

import math

import torch
from torch import Tensor

ABSENT = -1e9
"""Score of an absent element: its share of a softmax is 0."""
LEAST_CONCENTRATION, MOST_CONCENTRATION = 2.0, 1000.0
"""Below, a fraction of 0 would be likelier than any other; above, fractions would be told finer than 1 at.%."""


def presence_log_density(log_odds: Tensor, present: Tensor) -> Tensor:
    """`Σ_e log Bernoulli(a_e; σ(π_e))`, `b`, of presences `b x d`."""
    return (present * log_odds - torch.nn.functional.softplus(log_odds)).sum(-1)


def shares(scores: Tensor, present: Tensor) -> Tensor:
    """Softmax of the scores over the present elements, `b x d`."""
    return torch.softmax(torch.where(present > 0.5, scores, ABSENT), dim=-1)


def concentration(raw: Tensor) -> Tensor:
    """A concentration within its limits, smooth in `raw`."""
    low, high = math.log(LEAST_CONCENTRATION), math.log(MOST_CONCENTRATION)
    return torch.exp(low + (high - low) * torch.sigmoid(raw))


def dirichlet_log_density(x: Tensor, present: Tensor, shares_: Tensor, c: Tensor) -> Tensor:
    """`log Dirichlet(x_a; c · shares_a)`, `b`: a density on the simplex of the present elements.

    A pure element has density 1: there is nothing to choose.

    Args:
        x: `b x d` fractions; those of absent elements are not looked at.
        present: `b x d`, 1 or 0.
        shares_: `b x d` expected fractions, 0 where absent.
        c: `b` concentrations.
    """
    here = present > 0.5
    alpha = torch.where(here, c[..., None] * shares_, 1.0).clamp_min(1e-6)
    logs = torch.where(here, x, 1.0).clamp_min(1e-300).log()
    each = torch.where(here, (alpha - 1.0) * logs - torch.lgamma(alpha), 0.0).sum(-1)
    return torch.lgamma(torch.where(here, alpha, 0.0).sum(-1)) + each


def kl_per_dimension(mean: Tensor, log_variance: Tensor) -> Tensor:
    """`KL(N(μ, e^ν) | N(0, 1))` of each code dimension, `b x l`."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)


def normal_log_density(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """`log N(z; μ, e^ν)`, summed over the last dimension."""
    square = (z - mean).square() * (-log_variance).exp()
    return -0.5 * (square + log_variance + math.log(2.0 * math.pi)).sum(-1)
