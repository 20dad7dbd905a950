"""Expected improvement of a whole film: the joint gain of its devices over everything read or in flight."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.catalog import ExpectedImprovement
from models.policies.base import Question, Recommendation, counted, towards
from models.policies.film_acquisition import FilmImprovement, device_subset
from models.policies.film_search import search, searched
from models.policies.frame import Frame
from models.policies.survival import device_chances
from models.surrogates.coarse_latent import coarse
from models.surrogates.latent import Latent
from models.tensors import to_tensor

Array = NDArray[np.float64]

BASELINE = 100
"""Read points that may hold the best value: those that are expected to be worth the most."""


class ExpectedImprovementPolicy:
    """The film whose best device is expected to beat everything read or in flight by the most."""

    needs_model = True

    def __init__(self, options: ExpectedImprovement) -> None:
        self.options = options

    def recommend(self, question: Question) -> Recommendation:
        """Choose one film.

        Raises:
            NoFeasibleFilm: If no film obeys every rule.
        """
        if question.problem.outcomes:
            frame = Frame(question)
            chosen = frame.search(self.options, self.options.mc_samples)
            return chosen.recommend("expected_improvement", frame.reason(chosen.gain))
        latents, reference = question.model().latents(), to_tensor(reference_points(question))

        def acquisition(processes: Sequence[Latent]) -> FilmImprovement:
            return FilmImprovement(
                processes,
                reference,
                devices=len(device_subset(question.problem.film.devices)),
                draws=self.options.mc_samples,
                seed=question.seed,
                progress=question.progress,
                chances=device_chances(question),
                utility=question.utility(),
            )

        rough = acquisition(less) if (less := coarse(latents)) is not latents else None
        chosen = search(question, acquisition(latents), self.options, latents[0].scale, rough)
        return chosen.recommend("expected_improvement", _reason(question, chosen.gain))


def reference_points(question: Question) -> Array:
    """Distinct points whose best value is to be beaten: the read ones with the best mean, and those in flight.

    What was found elsewhere is no film of the campaign: as long as that is all there is, only its worst point is to be
    beaten, so that a film is worth what its best device is expected to be.
    """
    read = np.unique(question.read().X, axis=0)
    worth = question.model().predict(read).expected(question.problem.objectives[:1])[:, 0]
    if question.rests_on_prior:
        best = read[[int(np.argmin(worth))]]
    else:
        best = read[np.sort(np.argsort(-worth, kind="stable")[:BASELINE])]
    return np.unique(
        np.vstack([best, *(film.points()[device_subset(len(film.s))] for film in question.pending)]), axis=0
    )


def _reason(question: Question, gain: float) -> str:
    objective = question.problem.objectives[0]
    flight = f" and {counted(len(question.pending), 'film')} in flight" if question.pending else ""
    text = f"expected improvement {gain:.3g} {objective.unit} over {question.known()}{flight}{towards(objective)}"
    return text + searched(question)
