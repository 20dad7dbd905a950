"""What `train` and `propose` need to know of a campaign, as one frozen value that is stored as JSON."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.catalog import Auto, FilmGP, FilmSearch, GeneratorChoice, PolicyChoice, SurrogateChoice, policies_for
from models.composition import ContinuousVariable, SearchSpace
from models.feasibility import film_clash
from models.film import FilmGeometry, choice_violations
from models.objective import Objective, OutcomeConstraint, Property

ROUNDED = 0.02
"""Largest distance of the sum of a published composition from 1."""


class Problem(BaseModel):
    """Search space, objectives, film geometry, surrogate and policy of a campaign."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    space: SearchSpace
    objectives: tuple[Objective, ...] = Field(min_length=1, max_length=4)
    """What should be large, small or near a target; of several, the best trade-offs are sought."""
    outcomes: tuple[OutcomeConstraint, ...] = Field(default=(), max_length=8)
    """What has to keep within limits, and is only known where it was measured."""
    film: FilmGeometry = FilmGeometry()
    surrogate: SurrogateChoice = FilmGP()
    policy: PolicyChoice = Auto()
    generator: GeneratorChoice | None = None
    """What learns beside the surrogate to draw compositions; none if not given. Whether films are sought from its draws
    is said by the policy (`starts`)."""
    initial_films: int = Field(strict=True, default=2, ge=1, le=1000)
    """Space-filling films to make before the policy decides."""
    seed: int = Field(strict=True, default=0, ge=0, le=2**31 - 1)
    """Seed from which every random choice of the campaign is drawn."""

    @property
    def properties(self) -> tuple[Property, ...]:
        """Objectives, then outcomes: the columns of `Dataset.Y` and of whatever a surrogate predicts."""
        return (*self.objectives, *self.outcomes)

    @model_validator(mode="after")
    def _properties_differ(self) -> Self:
        names = [p.property for p in self.properties]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"a property is sought or limited once: {', '.join(twice)} is named more often")
        return self

    @model_validator(mode="after")
    def _policy_serves(self) -> Self:
        (fewest, most), m = self.policy.objectives, len(self.objectives)
        if not fewest <= m <= most:
            wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            raise ValueError(f"policy {self.policy.name!r} serves {wanted} objectives, the problem has {m}")
        if self.outcomes and not self.policy.heeds_outcomes:
            raise ValueError(f"policy {self.policy.name!r} takes no heed of outcomes, the problem limits some")
        if (matched := [o for o in self.objectives if o.target is not None]) and not self.policy.seeks_targets:
            able = ", ".join(policies_for(m, targets=True, outcomes=bool(self.outcomes)))
            first = f"objective {matched[0].property!r} is to match {matched[0].named_target()}"
            raise ValueError(f"{first}, and policy {self.policy.name!r} takes no target; these do: {able}")
        return self

    @model_validator(mode="after")
    def _costs_are_of_the_process(self) -> Self:
        model = self.policy.cost if isinstance(self.policy, FilmSearch) else None
        known = {v.name: () if isinstance(v, ContinuousVariable) else v.choices for v in self.space.process}
        for cost in model.process if model else ():
            if cost.variable not in known:
                raise ValueError(f"cost of {cost.variable!r}: the process variables are {sorted(known)}")
            if unknown := sorted(set(cost.choices) - set(known[cost.variable])):
                raise ValueError(f"cost of {cost.variable!r}: {unknown} are not among {list(known[cost.variable])}")
        return self

    @model_validator(mode="after")
    def _known_compositions_are_of_the_space(self) -> Self:
        for number, composition in enumerate(getattr(self.generator, "known", ())):
            if unknown := sorted(set(composition) - set(self.space.elements)):
                raise ValueError(f"known composition {number}: {unknown} are not among {list(self.space.elements)}")
            if abs(sum(composition.values()) - 1.0) > ROUNDED:
                raise ValueError(f"known composition {number}: its fractions do not sum to 1 within {ROUNDED}")
        return self

    @model_validator(mode="after")
    def _some_film_is_legal(self) -> Self:
        if self.film.grading == "pair" and self.space.dimension < 2:
            raise ValueError("a pair gradient needs two elements")
        for number, choice in enumerate(self.film.choices):
            if broken := choice_violations(choice, self.space, self.film):
                raise ValueError(f"film choice {number} breaks a rule: {broken[0]}")
        if clash := film_clash(self.space, self.film):
            raise ValueError(clash)
        return self
