"""Where films may lie: the composition simplex with its rules, and the process variables.

Compositions are arrays of atomic fractions in the order of `SearchSpace.elements`; they sum to 1. Process vectors
are arrays in the unit cube, in the order of `SearchSpace.process_columns`.
"""

from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.optimize import linprog

from models.errors import InvalidComposition

TOLERANCE = 1e-9
"""Largest amount by which a proposed composition may break a rule."""

Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]+$")]


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ElementBounds(_Rule):
    """Least and largest fraction of one element."""

    element: Name
    lower: Fraction = 0.0
    upper: Fraction = 1.0
    absent_or_at_least: Fraction | None = None
    """If given, the element is either absent (exactly 0) or present with at least this fraction."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lower > self.upper:
            raise ValueError(f"{self.element}: lower {self.lower} is above upper {self.upper}")
        return self


class GroupRule(_Rule):
    """A rule on several elements together: the range of their sum, and how many of them may be present."""

    name: Name
    elements: tuple[Name, ...] = Field(min_length=1)
    lower: Fraction = 0.0
    upper: Fraction = 1.0
    max_present: int | None = Field(default=None, ge=0, le=118)
    """At most this many of the group's elements may have a fraction above 0 in one film."""


class LinearRule(_Rule):
    """`lower <= sum of coefficient x fraction <= upper`, for instance one facet of a region already mapped."""

    name: Name
    coefficients: dict[Name, Finite] = Field(min_length=1)
    lower: Finite | None = None
    upper: Finite | None = None


class ContinuousVariable(_Rule):
    """A process condition that can take any value of a range, e.g. annealing temperature."""

    kind: Literal["continuous"] = "continuous"
    name: Name
    unit: Name
    lower: Finite
    upper: Finite

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.lower < self.upper:
            raise ValueError(f"{self.name}: lower {self.lower} must be below upper {self.upper} ({self.unit})")
        return self


class CategoricalVariable(_Rule):
    """A process condition with a few named choices, e.g. the substrate. One column of 0/1 per choice."""

    kind: Literal["categorical"] = "categorical"
    name: Name
    choices: tuple[Name, ...] = Field(min_length=2, max_length=20)


ProcessVariable = Annotated[ContinuousVariable | CategoricalVariable, Field(discriminator="kind")]
ProcessValues = dict[str, float | str]
"""Process conditions of one film in physical units, by variable name."""


class SearchSpace(BaseModel):
    """Every film that a campaign may ask for: elements, rules on their fractions, process variables.

    Raises (as validation errors): if names repeat or are unknown, or if no composition obeys the rules.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    elements: tuple[Name, ...] = Field(min_length=2, max_length=20)
    bounds: tuple[ElementBounds, ...] = ()
    groups: tuple[GroupRule, ...] = ()
    linear: tuple[LinearRule, ...] = ()
    process: tuple[ProcessVariable, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.elements)) != len(self.elements):
            raise ValueError(f"elements repeat: {self.elements}")
        named = {e for r in self.groups for e in r.elements} | {e for r in self.linear for e in r.coefficients}
        named |= {b.element for b in self.bounds}
        if unknown := sorted(named - set(self.elements)):
            raise ValueError(f"rules name {unknown}, which are not among the elements {list(self.elements)}")
        if len({b.element for b in self.bounds}) != len(self.bounds):
            raise ValueError("an element has more than one entry in bounds")
        if len({p.name for p in self.process}) != len(self.process):
            raise ValueError("process variable names repeat")
        return self

    @property
    def dimension(self) -> int:
        """Number of elements, d."""
        return len(self.elements)

    @property
    def process_columns(self) -> tuple[str, ...]:
        """Column names of the process part of a device point: one per continuous variable, one per choice."""
        return tuple(
            c
            for v in self.process
            for c in ([v.name] if isinstance(v, ContinuousVariable) else [f"{v.name}={x}" for x in v.choices])
        )

    def lower(self) -> NDArray[np.float64]:
        """Least fraction of each element, `d`."""
        by_name = {b.element: b.lower for b in self.bounds}
        return np.array([by_name.get(e, 0.0) for e in self.elements])

    def upper(self) -> NDArray[np.float64]:
        """Largest fraction of each element, `d`."""
        by_name = {b.element: b.upper for b in self.bounds}
        return np.array([by_name.get(e, 1.0) for e in self.elements])

    def inequalities(self) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]:
        """Every linear rule as `G x <= h` on one composition; linear, so both ends of a film are enough.

        Returns:
            `G` (r x d), `h` (r), and a name for each row that a person understands. The sum to 1 and the rules on
            presence (`max_present`, `absent_or_at_least`) are not among them.
        """
        rows: list[tuple[NDArray[np.float64], float, str]] = []
        eye = np.eye(self.dimension)
        for k, (element, low, high) in enumerate(zip(self.elements, self.lower(), self.upper(), strict=True)):
            rows.append((-eye[k], -float(low), f"{element} >= {low:g}"))
            rows.append((eye[k], float(high), f"{element} <= {high:g}"))
        for group in self.groups:
            total = np.array([1.0 if e in group.elements else 0.0 for e in self.elements])
            rows.append((-total, -group.lower, f"group {group.name} >= {group.lower:g}"))
            rows.append((total, group.upper, f"group {group.name} <= {group.upper:g}"))
        for rule in self.linear:
            a = np.array([rule.coefficients.get(e, 0.0) for e in self.elements])
            if rule.lower is not None:
                rows.append((-a, -rule.lower, f"{rule.name} >= {rule.lower:g}"))
            if rule.upper is not None:
                rows.append((a, rule.upper, f"{rule.name} <= {rule.upper:g}"))
        return np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), tuple(r[2] for r in rows)
