"""A latent process whose readings speak through fewer points: for a search that looks at very many films.

With U some of the points Z of a latent (notation of `latent.py`), what the readings say reaches X through f at U only:

    half(x) = k(x, U) k(U, U)^-1 k(U, Z) T                                                                 (1)

Covariances stay those of one process. U are pivots of a Cholesky factor of k(Z, Z) = L L^T, taken until U explains the
prior variance at every reading but for a small share of its noise. With L_U the rows of U, k(U, U)^-1 k(U, Z) =
L_U^-T L^T. At 1,000 readings a search among all films takes half the time, and of eight gains none fell by more than
0.3 % where the last climbs ask all readings.

Source: Harbrecht, Peters, Schneider 2012, On the low-rank approximation by the pivoted Cholesky decomposition
(doi 10.1016/j.apnum.2011.10.001).
"""

from dataclasses import replace

import numpy as np
import torch
from scipy.linalg import lapack, solve_triangular

from models.surrogates.latent import Latent
from models.tensors import to_array, to_tensor

FEW = 600
"""Points up to which a latent is kept as it is."""
UNEXPLAINED = 0.02
"""Most prior variance at any reading that U leaves unexplained, in units of a typical reading's noise variance."""
WORTH_IT = 0.7
"""Share of the points that U may have; above, little time would be gained."""


def coarse(latents: tuple[Latent, ...]) -> tuple[Latent, ...]:
    """The processes of eq. (1); `latents` itself where the fewer points would save little time."""
    if len(latents) > 1:
        return latents  # several are averaged only while there are few readings
    less = _coarse(latents[0])
    return latents if less is latents[0] else (less,)


def _coarse(latent: Latent) -> Latent:
    if len(latent.points) <= FEW:
        return latent
    noise = float(latent.noise(latent.points, None).median())
    packed, order, rank, _ = lapack.dpstrf(
        to_array(latent.prior(latent.points, latent.points)), tol=UNEXPLAINED * noise, lower=1
    )
    if rank > WORTH_IT * len(packed):
        return latent
    factor, order = np.tril(packed)[:, :rank], order - 1
    readings = factor.T @ to_array(latent.project)[order]
    project = solve_triangular(factor[:rank], readings, lower=True, trans="T", check_finite=False)
    turn, narrow = np.linalg.qr(project.T)
    return replace(
        latent,
        points=latent.points[torch.as_tensor(order[:rank].astype(np.int64))],
        project=to_tensor(narrow.T),
        whitened=to_tensor(turn.T @ to_array(latent.whitened)),
    )
