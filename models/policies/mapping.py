"""Mapping: the film that makes the property best known over the whole region, wherever its best value lies.

    alpha(X) = mean_j [ var(f_j) - var(f_j | the film is read) ] = mean_j |W_j|^2                          (1)

over points j that stand for the region; see `film_reading.py` for W, which knows noise and film effect. What is
reported is by how much the typical deviation, the root of the mean variance, falls. Source: integrated variance, Sacks
et al. 1989, Design and analysis of computer experiments (doi 10.1214/ss/1177012413).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.catalog import Mapping
from models.policies.base import Question, Recommendation
from models.policies.film_reading import FilmReading, known_positions, latents_after_flight, positions_of
from models.policies.film_search import search, searched
from models.policies.pool import even_pool
from models.surrogates.base import Progress
from models.surrogates.latent import Latent
from models.tensors import to_tensor

LEAST = 1e-12
"""Reduction, relative to the prior variance, below which a film teaches nothing."""


class FilmMapping:
    """Eq. (1) for one decision, the mean over equally likely processes: each looks at its own share of the points."""

    def __init__(
        self,
        latents: Sequence[Latent],
        pool: Tensor,
        *,
        positions: Tensor | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Look at the region, once.

        Args:
            latents: The processes of the objective, films in flight among their readings.
            pool: `j x D` points that stand for the region.
            positions: Positions of the devices along a film, K, where noise depends on them.
            progress: Called before each batch of films is scored; may raise to stop.
        """
        self._positions, self._progress = positions, progress
        shares = [(latent, pool[k :: len(latents)]) for k, latent in enumerate(latents)]
        self._parts = [(latent, at, latent.half(at)) for latent, at in shares if len(at)]
        variances = [latent.variances(at, half).clamp_min(0.0).mean() for latent, at, half in self._parts]
        self._variance = torch.stack(variances).mean()
        self._least = LEAST * sum(latent.variance for latent in latents) / len(latents)

    @property
    def typical_sd(self) -> float:
        """Root of the mean variance over the region today, in standardised units."""
        return float(self._variance.sqrt())

    def reduction(self, X: Tensor) -> Tensor:
        """Eq. (1) of films X (b x K x D): `b`, in squared standardised units."""
        if self._progress is not None:
            self._progress("scoring films")
        positions = known_positions(self._positions, X.shape[-2])
        found = [FilmReading(latent, X, positions).change(at, half).square() for latent, at, half in self._parts]
        return torch.stack([part.sum(dim=-1).mean(dim=-1) for part in found]).mean(dim=0)

    def value(self, X: Tensor) -> Tensor:
        """Logarithm of eq. (1), `b`."""
        return (self.reduction(X) + self._least).log()

    def gain(self, X: Tensor) -> Tensor:
        """By how much the typical deviation falls, `b`, in standardised units."""
        left = (self._variance - self.reduction(X)).clamp_min(0.0)
        return (self._variance.sqrt() - left.sqrt()).clamp_min(0.0)


class MappingPolicy:
    """The film after which the property is best known on the average of the region."""

    needs_model = True

    def __init__(self, options: Mapping) -> None:
        self.options = options

    def recommend(self, question: Question) -> Recommendation:
        """Choose one film.

        Raises:
            NoFeasibleFilm: If no film obeys every rule.
        """
        latents = latents_after_flight(question)
        acquisition = FilmMapping(
            latents,
            to_tensor(even_pool(question, self.options.pool)),
            positions=positions_of(question),
            progress=question.progress,
        )
        scale = latents[0].scale
        chosen = search(question, acquisition, self.options, scale)
        before, unit = scale * acquisition.typical_sd, question.problem.objectives[0].unit
        reason = (
            f"the typical deviation over the region is expected to fall by {chosen.gain:.3g} from {before:.3g} {unit}"
        )
        return chosen.recommend("mapping", reason + searched(question))
