"""The policy for those who name none: what is known of the campaign says which one, and the reason says why.

| known | taken | why |
| --- | --- | --- |
| two or more objectives | `hypervolume_improvement` | trade-offs are wanted, not one best value |
| limits on other properties | `expected_improvement` | of the policies for one objective it heeds them |
| a target to be met | `expected_improvement` | of the policies that can seek it, it counts what is known best |
| the budget leaves the last film | `knowledge_gradient` | no later film profits: what counts is to know the best |
| otherwise | `expected_improvement` | it finds the best films soonest, whatever the noise |

The rules were measured: see `docs/science.md`, section 3. Noise alone never spoke for another policy.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from models.catalog import (
    Auto,
    ExpectedImprovement,
    FilmSearch,
    HypervolumeImprovement,
    KnowledgeGradient,
    PolicyChoice,
)
from models.policies.base import Policy, Question, Recommendation

LAST = 1
"""Films before the end of the budget that go to knowing the best one: for one it is the best rule there is."""

LAST_DRAWS = 256
"""Draws of what the last film may read: its gain is small, and fewer draws hide it."""


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
    if question.problem.objectives[0].target is not None:
        return Picked(ExpectedImprovement(**shared), "one target is to be met")
    if question.left is not None and question.left <= LAST:
        why = "this is the last film of the budget, and what counts is to know the best"
        return Picked(KnowledgeGradient(**shared, mc_samples=LAST_DRAWS), why)
    return Picked(ExpectedImprovement(**shared), "one objective is sought and more films will come")
