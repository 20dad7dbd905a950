"""The policy for those who name none: what is known of the campaign says which one, and the reason says why.

| known | taken | why |
| --- | --- | --- |
| two or more objectives | `hypervolume_improvement` | trade-offs are wanted, not one best value |
| limits on other properties | `expected_improvement` | of the policies for one objective it heeds them |
| a single film says little of its material | `knowledge_gradient` | it repeats what is worth repeating |
| otherwise | `expected_improvement` | |

How little one film says is its own offset and the noise of one reading, against how the property varies over the
region. The limit was measured: see `docs/science.md`, section 3.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from models.catalog import (
    Auto,
    ExpectedImprovement,
    FilmSearch,
    HypervolumeImprovement,
    KnowledgeGradient,
    PolicyChoice,
)
from models.policies.base import Policy, Question, Recommendation
from models.policies.pool import even_pool

NOISY = 1.0
"""Share of the property's own spread that offset and noise may have before single readings are not believed."""
POOL = 256
"""Points over which the spread of the property is judged."""


class Picked(NamedTuple):
    """A policy and why it was taken."""

    choice: PolicyChoice
    why: str


class AutoPolicy:
    """Takes the policy that suits the campaign; its answer is that policy's, under that policy's name."""

    needs_model = True

    def __init__(self, options: Auto, policy_for: Callable[[Any], Policy]) -> None:
        self.options = options
        self._policy_for = policy_for

    def recommend(self, question: Question) -> Recommendation:
        """Choose one film.

        Raises:
            NoFeasibleFilm: If no film obeys every rule.
        """
        picked = pick(question, self.options)
        answer = self._policy_for(picked.choice).recommend(question)
        return replace(answer, reason=f"{answer.reason}; {picked.choice.name} was taken because {picked.why}")


def pick(question: Question, options: Auto) -> Picked:
    """The policy for a question, with the options that all searches share."""
    shared = {name: getattr(options, name) for name in FilmSearch.model_fields}
    objectives = len(question.problem.objectives)
    if objectives > 1:
        return Picked(HypervolumeImprovement(**shared), f"{objectives} objectives are sought")
    if question.problem.outcomes:
        return Picked(ExpectedImprovement(**shared), "it heeds the limits on other properties")
    unsure, spread = film_error(question), spread_of_property(question)
    unit = question.problem.objectives[0].unit
    against = f"against the property's own {spread:.2g} {unit}"
    if unsure > NOISY * spread:
        why = f"one reading of a film errs by {unsure:.2g} {unit}, too much {against} to be believed alone"
        return Picked(KnowledgeGradient(**shared), why)
    return Picked(ExpectedImprovement(**shared), f"one reading of a film errs by {unsure:.2g} {unit} only, {against}")


def film_error(question: Question) -> float:
    """Standard deviation of one reading of a new film about f, in physical units: its offset and its noise."""
    model = question.model()
    return float(np.hypot(model.noise_sd[0], model.film_effect_sd[0]))


def spread_of_property(question: Question) -> float:
    """Standard deviation of f over the region as the model sees it, what it does not know included; physical units."""
    seen = question.model().predict(even_pool(question, POOL))
    return float(np.sqrt(seen.mean[:, 0].var() + np.square(seen.sd[:, 0]).mean()))
