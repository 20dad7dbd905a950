"""Thompson sampling: one draw of the property from the posterior, and the film whose best device is best in it.

The draw is made once at the points with the best chances, and carried on from there to the devices of any film by
conditioning: at these points and at the devices of a film together it has exactly the law of the posterior, and it is
smooth along the film, so that the search can climb it. Films in flight count as read with today's mean. Source:
Thompson 1933 (doi 10.1093/biomet/25.3-4.285); Wilson et al. 2020, Efficiently sampling functions from Gaussian process
posteriors (arXiv 2002.09309), on draws that are carried on by conditioning.
"""

import numpy as np
from numpy.typing import NDArray

from models.catalog import ThompsonSampling
from models.policies.base import Question, Recommendation, towards
from models.policies.film_acquisition import FilmImprovement, device_subset
from models.policies.film_reading import latents_after_flight
from models.policies.film_search import search, searched
from models.policies.judged import judged
from models.policies.pool import Pool, promising_pool
from models.surrogates.latent import Latent
from models.tensors import to_array, to_tensor
from models.utility import LARGER, Nearer, Utility

Array = NDArray[np.float64]

LOOKED_AT = 2048
"""Points of which the ones with the best chances are taken."""
FAR = 3.0
"""Standard deviations on the better side of the mean by which chances are ranked."""


class ThompsonSamplingPolicy:
    """The best film in one draw of the property. Where the model is unsure draws differ, and so do films."""

    needs_model = True

    def __init__(self, options: ThompsonSampling) -> None:
        self.options = options

    def recommend(self, question: Question) -> Recommendation:
        """Choose one film.

        Raises:
            NoFeasibleFilm: If no film obeys every rule.
        """
        latents = latents_after_flight(question)
        latent = latents[int(question.rng().integers(len(latents)))]
        draw = film_draw(question, latent, self.options.pool)
        chosen = search(question, judged(question, draw.value), self.options, latent.scale)
        reason = (
            "its best device is the best of all films in one draw of the property; expected improvement "
            f"{chosen.gain:.3g} {question.problem.objectives[0].unit}"
            f"{towards(question.problem.objectives[0])}{searched(question)}"
        )
        return chosen.recommend("thompson_sampling", reason)


def film_draw(question: Question, latent: Latent, count: int) -> FilmImprovement:
    """One draw: `value` rises with the best device of a film in it, counted from the draw's best chance."""
    utility = question.utility()
    pool = best_chances(latent, promising_pool(question, LOOKED_AT), count, utility)
    devices = len(device_subset(question.problem.film.devices))
    return FilmImprovement([latent], to_tensor(pool), devices=devices, draws=1, seed=question.seed, utility=utility)


def best_chances(latent: Latent, pool: Pool, count: int, utility: Utility = LARGER) -> Array:
    """The points of a pool (j x D) that some deviations make the best, at most `count`, in their order."""
    X = to_tensor(pool.points)
    half = latent.half(X)
    sd = latent.variances(X, half).clamp_min(0.0).sqrt()
    mean = half @ latent.whitened
    if isinstance(utility, Nearer):  # where several may meet the target, those come first that are likely near it
        moments = to_array(mean), to_array(sd)
        order = np.lexsort((-utility.expected(*moments), -utility.hoped(*moments, FAR)))
    else:
        order = np.argsort(-to_array(mean + FAR * sd), kind="stable")
    chosen: Array = pool.points[np.sort(order[:count])]
    return chosen
