"""The logarithm of the expected improvement of one normal value, where it is too small for a number too.

    E[max(0, u + e)] = phi(u) + u Phi(u),  e ~ N(0, 1)                                                     (1)

Source: Ament et al. 2023, Unexpected improvements to expected improvement, section 4 (arXiv 2310.20708).
"""

from math import log, pi, sqrt

import torch
from torch import Tensor

HALF_LOG_TAU = 0.5 * log(2.0 * pi)
TURN = -1.0
"""Below it the two terms of eq. (1) cancel, and its scaled form is used."""
FAR = -1e6
"""Below it the scaled form has no digits left either, and eq. (1) is phi(u) / u^2."""


def log_improvement(u: Tensor) -> Tensor:
    """Logarithm of eq. (1), elementwise: finite with finite gradient for any finite u down to -1e100."""
    near = u.clamp_min(TURN)
    direct = (torch.exp(-0.5 * near.square() - HALF_LOG_TAU) + near * torch.special.ndtr(near)).log()
    middle = u.clamp(FAR, TURN)
    scaled = torch.log1p(sqrt(0.5 * pi) * middle * torch.special.erfcx(-middle / sqrt(2.0)))
    far = u.clamp_max(FAR)
    tail = torch.where(u > FAR, scaled, -2.0 * far.neg().log())
    return torch.where(u > TURN, direct, -0.5 * u.clamp_max(TURN).square() - HALF_LOG_TAU + tail)
