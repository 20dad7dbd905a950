"""What a researcher wants compositions for: values of properties, and rules beside those of the campaign."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.composition import ElementBounds, GroupRule, LinearRule, ProcessValues, SearchSpace
from models.objective import PropertyName, Value

MOST = 500
"""Compositions in one answer."""
MOST_RULES = 50


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(_Asked):
    """A value that a property should have."""

    value: Value
    """In the property's own unit."""
    tolerance: Annotated[float, Field(strict=True, gt=0.0, le=1e12, allow_inf_nan=False)] | None = None
    """Half the width of what is as good as the value; its chance is told where it is given."""


class Constraints(_Asked):
    """Rules beside those of the campaign, for this answer only."""

    bounds: Annotated[tuple[ElementBounds, ...], Field(max_length=MOST_RULES)] = ()
    """The campaign's bounds of the same element hold as well."""
    groups: Annotated[tuple[GroupRule, ...], Field(max_length=MOST_RULES)] = ()
    linear: Annotated[tuple[LinearRule, ...], Field(max_length=MOST_RULES)] = ()

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len({b.element for b in self.bounds}) != len(self.bounds):
            raise ValueError("an element has more than one entry in bounds")
        return self


class Wanted(_Asked):
    """Compositions that are asked for."""

    count: int = Field(strict=True, default=20, ge=1, le=MOST)
    """Most compositions of the answer; fewer where draws repeat."""
    targets: dict[PropertyName, Target] = Field(default_factory=dict, max_length=12)
    """By property; none: values beyond the best that is expected where was read."""
    constraints: Constraints = Constraints()
    process: ProcessValues | None = None
    """Every process variable in physical units; mid range and first choices if left out."""


def narrowed(space: SearchSpace, constraints: Constraints) -> SearchSpace:
    """The search space under further rules.

    Raises:
        ValidationError: If a rule names an element that is not there, or they leave no composition.
    """
    bounds = {b.element: b for b in space.bounds}
    for rule in constraints.bounds:
        bounds[rule.element] = _both(bounds[rule.element], rule) if rule.element in bounds else rule
    return SearchSpace(
        elements=space.elements,
        bounds=tuple(bounds.values()),
        groups=(*space.groups, *constraints.groups),
        linear=(*space.linear, *constraints.linear),
        process=space.process,
    )


def _both(one: ElementBounds, other: ElementBounds) -> ElementBounds:
    """Bounds that keep within two others."""
    least = [x for x in (one.absent_or_at_least, other.absent_or_at_least) if x is not None]
    return ElementBounds(
        element=one.element,
        lower=max(one.lower, other.lower),
        upper=min(one.upper, other.upper),
        absent_or_at_least=max(least) if least else None,
    )
