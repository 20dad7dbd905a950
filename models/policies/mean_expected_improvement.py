"""Expected improvement of single devices, averaged over a film: the rule that peers use, kept to compare with.

    alpha(X) = mean_k P_k E[ max(0, f(x_k) - f*) ]                                                         (1)

with f* the best posterior mean at the points that were read or are in flight, and P_k the chance of a device to work.
It takes every device for itself: a film whose devices are all a little promising beats one that crosses a narrow peak.

`two_step` is the rule of NIMO's COMBI: the single point of largest improvement first, and then, of the pair films
through it, the one of largest (1). Source: the manual of NIMO, AI tool COMBI.
"""

from collections.abc import Sequence

import numpy as np
import torch
from botorch.utils.safe_math import logmeanexp
from torch import Tensor

from models.catalog import MeanExpectedImprovement
from models.policies.base import Question, Recommendation
from models.policies.cost import Priced, film_cost
from models.policies.expected_improvement import reference_points
from models.policies.film_acquisition import device_subset
from models.policies.film_optimizer import score
from models.policies.film_reading import latents_after_flight
from models.policies.film_search import Chosen, choose, search, searched
from models.policies.films_through import films_through
from models.policies.log_improvement import log_improvement
from models.policies.pool import promising_pool
from models.policies.survival import Chances, device_chances
from models.surrogates.base import Progress
from models.surrogates.latent import Latent
from models.tensors import to_array, to_tensor

POOL = 1024
"""Points among which the best single one is sought."""
TRIED = 32
"""Best points that are tried until a film goes through one."""
LEAST_CHANCE = 1e-6
"""Least chance to work that a device is given."""
SURE = 1e-12
"""Least variance, relative to the prior's, that a device is given."""


class MeanImprovement:
    """Eq. (1) for one decision, the mean over equally likely processes."""

    def __init__(
        self,
        latents: Sequence[Latent],
        reference: Tensor,
        *,
        chances: Chances | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Look for the value to be beaten, once.

        Args:
            latents: The processes of the objective, films in flight among their readings.
            reference: `z x D` points read or in flight.
            chances: Probability of each device to work; None: all work.
            progress: Called before each batch of films is scored; may raise to stop.
        """
        self._parts = [(latent, latent.mean(reference).amax()) for latent in latents]
        self._chances, self._progress = chances, progress

    def value(self, X: Tensor) -> Tensor:
        """Logarithm of eq. (1) for films X (b x K x D): `b`."""
        if self._progress is not None:
            self._progress("scoring films")
        logs = logmeanexp(torch.stack([self._logs(latent, best, X) for latent, best in self._parts]), dim=0)
        if self._chances is not None:
            logs = logs + self._chances(X).clamp_min(LEAST_CHANCE).log()
        return logmeanexp(logs, dim=-1)

    def gain(self, X: Tensor) -> Tensor:
        """Eq. (1), `b`, in standardised units."""
        return self.value(X).exp()

    def _logs(self, latent: Latent, best: Tensor, X: Tensor) -> Tensor:
        """Logarithm of the improvement of each device, `b x K`."""
        half = latent.half(X)
        sd = latent.variances(X, half).clamp_min(SURE * latent.variance).sqrt()
        return log_improvement((half @ latent.whitened - best) / sd) + sd.log()


class MeanExpectedImprovementPolicy:
    """The film whose devices improve on the best, each for itself, by the most on average."""

    needs_model = True

    def __init__(self, options: MeanExpectedImprovement) -> None:
        self.options = options

    def recommend(self, question: Question) -> Recommendation:
        """Choose one film.

        Raises:
            NoFeasibleFilm: If no film obeys every rule.
        """
        latents = latents_after_flight(question)
        acquisition = MeanImprovement(
            latents,
            to_tensor(reference_points(question)),
            chances=device_chances(question),
            progress=question.progress,
        )
        chosen, how = None, ""
        if self.options.rule == "two_step":
            chosen = self._through_the_best_point(question, acquisition, latents[0].scale)
            how = ", through the best single point" if chosen else ", as no film goes through the best single points"
        chosen = chosen or search(question, acquisition, self.options, latents[0].scale)
        unit = question.problem.objectives[0].unit
        reason = f"expected improvement {chosen.gain:.3g} {unit} per device{how}{searched(question)}"
        return chosen.recommend("mean_expected_improvement", reason)

    def _through_the_best_point(self, question: Question, acquisition: MeanImprovement, scale: float) -> Chosen | None:
        """The best film through the best point that a film goes through, if any."""
        points = promising_pool(question, POOL).points
        with torch.no_grad():
            values = to_array(acquisition.value(to_tensor(points)[:, None, :]))
        s = question.problem.film.mixing()
        s = s[device_subset(len(s))]
        cost = None if self.options.cost is None else film_cost(question, self.options.cost)
        climbed = acquisition if cost is None else Priced(acquisition, cost)
        for k in np.argsort(-values, kind="stable")[:TRIED]:
            if films := films_through(question, points[k]):
                return choose(question, score(climbed, films, s), acquisition, scale, cost)
        return None
