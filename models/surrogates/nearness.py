"""How near to its target a property is expected at one point, with the slope by which a climb gets nearer.

Mean m and deviation s of equally likely processes together follow from the moments of each; of those eq. (3) of
`models/utility.py` makes what is expected, and its two derivatives carry the gradients of m and s.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.objective import Objective
from models.surrogates.latent import Latent
from models.tensors import to_array, to_tensor

Array = NDArray[np.float64]

LEAST = 1e-6
"""Least deviation, in standardised units: at a point that is known the deviation has no slope."""


def nearness(sought: Objective, latents: Sequence[Latent], process: Array, composition: Array) -> tuple[float, Array]:
    """What is expected of a composition, in standardised units, and its gradient.

    Args:
        sought: With a target.
        latents: The processes of the property, equally likely.
        process: `p` process columns.
        composition: `d`.

    Returns:
        Expected worth, at most 0, and its gradient in the composition, `d`.
    """
    x = to_tensor(np.concatenate([composition, process])).requires_grad_()
    halves = [latent.half(x[None]) for latent in latents]
    means = torch.stack([(half @ latent.whitened)[0] for latent, half in zip(latents, halves, strict=True)])
    variances = torch.stack([latent.variances(x[None], half)[0] for latent, half in zip(latents, halves, strict=True)])
    mean = means.mean()
    sd = (variances.clamp_min(0.0).mean() + means.var(correction=0)).clamp_min(LEAST**2).sqrt()
    utility = sought.utility().standardised(latents[0].centre, latents[0].scale)
    by_mean, by_sd = utility.slope(mean.item(), sd.item())
    (gradient,) = torch.autograd.grad(by_mean * mean + by_sd * sd, x)
    worth = utility.expected(np.array(mean.item()), np.array(sd.item()))
    return float(worth), to_array(gradient)[: len(composition)]
