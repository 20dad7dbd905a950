"""The rules that a campaign may set: on elements, on groups of them, on linear mixtures, and its process variables."""

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.errors import InvalidComposition

Fraction = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(strict=True, ge=-1e12, le=1e12, allow_inf_nan=False)]
"""A bound or coefficient; within 1e12, so that differences and sums of them are numbers too."""
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
    """A rule on several elements of one kind: the range of their sum, and how many of them may be present.

    The model learns from their sum, too: write a rule on a sum that means nothing as a linear one.
    """

    name: Name
    elements: tuple[Name, ...] = Field(min_length=1)
    lower: Fraction = 0.0
    upper: Fraction = 1.0
    max_present: int | None = Field(strict=True, default=None, ge=0, le=118)
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
    step: Annotated[float, Field(strict=True, gt=0.0, le=1e12, allow_inf_nan=False)] | None = None
    """If given, films are proposed at `lower` and whole steps above it only, e.g. ovens that are set in 25 degC."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.lower < self.upper:
            raise ValueError(f"{self.name}: lower {self.lower} must be below upper {self.upper} ({self.unit})")
        if self.step is not None and not 1e-7 * (self.upper - self.lower) <= self.step <= self.upper - self.lower:
            raise ValueError(f"{self.name}: a step of {self.step} does not divide {self.lower} to {self.upper}")
        return self

    def stride(self) -> float:
        """One step in the unit cube; 0 where any value may be taken."""
        return 0.0 if self.step is None else self.step / (self.upper - self.lower)

    @property
    def width(self) -> int:
        """Number of columns: one."""
        return 1

    def encode(self, value: float | str) -> list[float]:
        """Position of a value in its range, in [0, 1]."""
        if isinstance(value, str) or not self.lower <= value <= self.upper:
            raise InvalidComposition(f"{self.name} is {value!r}, not within {self.lower} to {self.upper} {self.unit}")
        return [(value - self.lower) / (self.upper - self.lower)]

    def decode(self, columns: NDArray[np.float64]) -> float:
        """The value in physical units."""
        return float(np.clip(self.lower + columns[0] * (self.upper - self.lower), self.lower, self.upper))


class CategoricalVariable(_Rule):
    """A process condition with a few named choices, e.g. the substrate. One column of 0/1 per choice."""

    kind: Literal["categorical"] = "categorical"
    name: Name
    choices: tuple[Name, ...] = Field(min_length=2, max_length=20, json_schema_extra={"uniqueItems": True})

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.choices)) != len(self.choices):
            raise ValueError(f"{self.name}: choices repeat: {self.choices}")
        return self

    @property
    def width(self) -> int:
        """Number of columns: one per choice."""
        return len(self.choices)

    def encode(self, value: float | str) -> list[float]:
        """One column per choice: 1 for the one taken."""
        if value not in self.choices:
            raise InvalidComposition(f"{self.name} is {value!r}, not one of {list(self.choices)}")
        return [1.0 if value == choice else 0.0 for choice in self.choices]

    def decode(self, columns: NDArray[np.float64]) -> str:
        """The choice with the largest column."""
        return self.choices[int(np.argmax(columns))]


ProcessVariable = Annotated[ContinuousVariable | CategoricalVariable, Field(discriminator="kind")]
ProcessValues = dict[str, float | str]
"""Process conditions of one film in physical units, by variable name."""
