"""What reading a film would tell: the posterior after readings that are not there yet.

Readings of the K devices of a film are f with the film's own offset and noise, of covariance

    Sigma + D + s_b^2 1 1^T = L L^T                                                                        (1)

with Sigma the posterior covariance of f at the devices. Whatever they turn out to be, the covariance of f falls, and
its mean moves by a normal amount:

    cov'(x, x') = cov(x, x') - C_x L^-T L^-1 C_x'^T,     mean'(x) = mean(x) + C_x L^-T z,  z ~ N(0, I)        (2)

with C_x the posterior covariance of f(x) with f at the devices. Source: Frazier, Powell, Dayanik 2009, The knowledge
gradient for correlated normal beliefs (doi 10.1287/ijoc.1080.0314), section 2.

| symbol | meaning | shape |
| --- | --- | --- |
| b, K, D | films in a batch, devices, columns | |
| j | points at which the change is asked for | |
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from models.policies.base import Question
from models.policies.film_acquisition import device_subset
from models.policies.joint_draws import cholesky
from models.surrogates.latent import Latent
from models.tensors import to_tensor


class FilmReading:
    """Eq. (1) and (2) of many films."""

    def __init__(self, latent: Latent, X: Tensor, positions: Tensor | None = None) -> None:
        """Read the films in thought.

        Args:
            latent: The process before.
            X: `b x K x D` devices of the films.
            positions: Positions of the devices along their film, K, where they are known.
        """
        self._latent, self._X = latent, X
        self.half = latent.half(X)
        """`latent.half(X)`, `b x K x r`."""
        self._covariance = latent.prior(X, X) - self.half @ self.half.mT
        noise = torch.diag_embed(latent.noise(X, positions)) + latent.film_variance
        self._factor = cholesky(self._covariance + noise, latent.variance)

    def change(self, at: Tensor, half: Tensor) -> Tensor:
        """C_x L^-T at `j x D` points with their `latent.half` (j x r): `b x j x K`."""
        return self._moved(self._latent.prior(self._X, at) - self.half @ half.mT)

    def own_change(self) -> Tensor:
        """The same at the films' own devices: `b x K x K`."""
        return self._moved(self._covariance)

    def _moved(self, across: Tensor) -> Tensor:
        moved: Tensor = torch.linalg.solve_triangular(self._factor, across, upper=False).mT
        return moved


def after(latent: Latent, films: Sequence[Tensor]) -> Latent:
    """The process as it will be when films are read, its mean as it is today.

    The first columns of `half` stay, one more comes with each device: C_x L^-T of eq. (2).

    Args:
        latent: The process before.
        films: Devices of each film, `K x D` each.

    Returns:
        A process with the covariance of eq. (2).
    """
    if not films:
        return latent
    points = torch.cat(list(films))
    number = torch.repeat_interleave(torch.arange(len(films)), torch.tensor([len(film) for film in films]))
    shared = latent.film_variance * (number[:, None] == number)
    half = latent.half(points)
    read = latent.prior(points, points) - half @ half.mT + torch.diag(latent.noise(points, None)) + shared
    factor = cholesky(read, latent.variance)
    inverse = torch.linalg.solve_triangular(factor, torch.eye(len(points), dtype=points.dtype), upper=False).mT
    corner = -latent.project @ half.mT @ inverse
    project = torch.cat(
        [torch.cat([latent.project, corner], dim=1), torch.nn.functional.pad(inverse, (half.shape[1], 0))]
    )
    return replace(
        latent,
        points=torch.cat([latent.points, points]),
        project=project,
        whitened=torch.nn.functional.pad(latent.whitened, (0, len(points))),
    )


def devices_in_flight(question: Question) -> list[Tensor]:
    """The devices of each film in flight that enter an acquisition, `K x D` each."""
    return [to_tensor(film.points()[device_subset(len(film.s))]) for film in question.pending]


def latents_after_flight(question: Question) -> tuple[Latent, ...]:
    """The processes of the first objective as they will be when the films in flight are read, with today's mean.

    Source: Desautels, Krause, Burdick 2014, Parallelizing exploration-exploitation tradeoffs (JMLR 15, 4053).
    """
    flight = devices_in_flight(question)
    return tuple(after(latent, flight) for latent in question.model().latents())


def positions_of(question: Question) -> Tensor:
    """Positions of the devices that enter an acquisition, K."""
    positions = question.problem.film.device_positions()
    return to_tensor(positions[device_subset(len(positions))])


def known_positions(positions: Tensor | None, devices: int) -> Tensor | None:
    """The positions where a film has as many devices, else None: a film in part is scored without them."""
    return positions if positions is not None and len(positions) == devices else None
