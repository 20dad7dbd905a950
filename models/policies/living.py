"""A film is worth what its living devices are worth: expectations over which of them will work.

With d_k what device k gains in a draw, P_k its probability to work, and k running from the largest gain down, the best
living device is the first that works:

    E[max over living devices] = sum_k d_k P_k prod_{j before k} (1 - P_j)                                 (1)

exact for devices that live and die independently, and zero where all are dead.
"""

import torch
from torch import Tensor

SUREST = 1e-9
"""Nothing is surer than this, of life or of death: logarithms stay finite."""


def first_alive(gains: Tensor, chances: Tensor) -> tuple[Tensor, Tensor]:
    """Gains from the largest down, and the log probability that each is the first of a living device, eq. (1).

    Args:
        gains: `b x K x S`.
        chances: `b x K` probabilities to work.

    Returns:
        `b x K x S` sorted gains and `b x K x S` log probabilities.
    """
    ordered, order = gains.sort(dim=-2, descending=True)
    alive = chances.clamp(SUREST, 1.0 - SUREST)[..., None].expand_as(gains).gather(-2, order)
    dead_before = torch.cumsum(torch.log1p(-alive), dim=-2) - torch.log1p(-alive)
    return ordered, alive.log() + dead_before
