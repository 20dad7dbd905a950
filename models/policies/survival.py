"""How likely the devices of a film are to work, for acquisitions that weigh films by it."""

from collections.abc import Callable

from torch import Tensor

from models.policies.base import Question
from models.policies.film_acquisition import device_subset
from models.tensors import to_tensor

Chances = Callable[[Tensor], Tensor]
"""Of films `b x K x D`: the probability of each device to work, `b x K`."""


def device_chances(question: Question) -> Chances | None:
    """How likely the devices of any film of the problem are to work; None where no device ever died.

    A film may come with all devices that enter an acquisition, with every other one, or as single points whose place
    along a film is not known.
    """
    survival = question.model().survival()
    if survival is None:
        return None
    positions = question.problem.film.device_positions()
    entering = to_tensor(positions[device_subset(len(positions))])
    known = {len(part): part for part in (entering[::2], entering) if len(part) > 1}

    def chances(X: Tensor) -> Tensor:
        return survival(X, known.get(X.shape[-2]))

    return chances
