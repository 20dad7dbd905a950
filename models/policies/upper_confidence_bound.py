"""Upper confidence bound of a whole film: its best device if every one is as good as it may be.

    alpha(X) = E[ max_k ( m_k + sqrt(beta pi / 2) |g_k| ) ],   g ~ N(0, C)                                 (1)

with m, C the posterior mean and covariance of f at the devices, those of films in flight as if they were read with
today's mean. For one device (1) is m + sqrt(beta) sd. Source: Wilson, Moriconi, Hutter, Deisenroth 2017, The
reparameterization trick for acquisition functions, table 1 (arXiv 1712.00424).
"""

from collections.abc import Sequence
from math import pi, sqrt

import torch
from botorch.utils.safe_math import log_fatplus
from torch import Tensor

from models.catalog import UpperConfidenceBound
from models.policies.base import Question, Recommendation
from models.policies.expected_improvement import reference_points
from models.policies.film_acquisition import SMOOTHING, device_subset
from models.policies.film_reading import latents_after_flight
from models.policies.film_search import search, searched
from models.policies.joint_draws import cholesky
from models.policies.judged import judged
from models.surrogates.latent import Latent
from models.tensors import normal_draws, to_tensor


class FilmBound:
    """Eq. (1) over the best posterior mean known."""

    def __init__(
        self, latents: Sequence[Latent], reference: Tensor, *, beta: float, devices: int, draws: int, seed: int
    ) -> None:
        """Draw the normal numbers, once.

        Args:
            latents: The processes of the objective, equally likely, films in flight among their readings.
            reference: `z x D` points whose best mean the value is counted from.
            beta: Square of the deviations that count.
            devices: Largest number of devices of a film, K.
            draws: Number of draws for all processes together.
            seed: Seed of the draws.
        """
        share = -(-draws // len(latents))
        self._parts = [(latent, normal_draws(share, devices, seed + k).mT) for k, latent in enumerate(latents)]
        self._best = torch.stack([latent.mean(reference) for latent in latents]).mean(dim=0).amax()
        self._width = sqrt(beta * pi / 2.0)

    def bound(self, X: Tensor) -> Tensor:
        """Eq. (1) of films X (b x K x D): `b`, in standardised units."""
        return torch.stack([self._of(latent, normal, X) for latent, normal in self._parts]).mean(dim=0)

    def _of(self, latent: Latent, normal: Tensor, X: Tensor) -> Tensor:
        half = latent.half(X)
        lower = cholesky(latent.prior(X, X) - half @ half.mT, latent.variance)
        deviation = (lower @ normal[: X.shape[-2]]).abs()
        best: Tensor = ((half @ latent.whitened)[..., None] + self._width * deviation).amax(dim=-2)
        return best.mean(dim=-1)

    def value(self, X: Tensor) -> Tensor:
        """Smoothed logarithm of how far the bound is above the best mean, `b`: it rises with the bound."""
        return log_fatplus(self.bound(X) - self._best, tau=SMOOTHING)


class UpperConfidenceBoundPolicy:
    """The film whose best device may be best."""

    needs_model = True

    def __init__(self, options: UpperConfidenceBound) -> None:
        self.options = options

    def recommend(self, question: Question) -> Recommendation:
        """Choose one film.

        Raises:
            NoFeasibleFilm: If no film obeys every rule.
        """
        latents = latents_after_flight(question)
        bound = FilmBound(
            latents,
            to_tensor(reference_points(question)),
            beta=self.options.beta,
            devices=len(device_subset(question.problem.film.devices)),
            draws=self.options.mc_samples,
            seed=question.seed,
        )
        chosen = search(question, judged(question, bound.value), self.options, latents[0].scale)
        reason = (
            f"largest upper confidence bound of a film's best device (beta {self.options.beta:g}); "
            f"expected improvement {chosen.gain:.3g} {question.problem.objectives[0].unit}{searched(question)}"
        )
        return chosen.recommend("upper_confidence_bound", reason)
