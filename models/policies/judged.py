"""Acquisitions that climb one thing and report another: the expected improvement, which people can compare."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from models.policies.base import Question
from models.policies.expected_improvement import reference_points
from models.policies.film_acquisition import FilmImprovement, device_subset
from models.policies.survival import device_chances
from models.surrogates.base import Progress
from models.tensors import to_tensor

DRAWS = 128
"""Draws of the expected improvement that is reported."""


@dataclass(frozen=True)
class Judged:
    """Climbs any function of films (b x K x D -> b); its gain is the joint expected improvement."""

    climbed: Callable[[Tensor], Tensor]
    improvement: FilmImprovement
    progress: Progress

    def value(self, X: Tensor) -> Tensor:
        """What the search climbs, `b`."""
        self.progress("scoring films")
        return self.climbed(X)

    def gain(self, X: Tensor) -> Tensor:
        """Expected improvement over everything read or in flight, `b`, in standardised units."""
        return self.improvement.gain(X)


def judged(question: Question, climbed: Callable[[Tensor], Tensor]) -> Judged:
    """An acquisition for one decision that climbs `climbed`."""
    improvement = FilmImprovement(
        question.model().latents(),
        to_tensor(reference_points(question)),
        devices=len(device_subset(question.problem.film.devices)),
        draws=DRAWS,
        seed=question.seed,
        chances=device_chances(question),
        utility=question.utility(),
    )
    return Judged(climbed, improvement, question.progress)
