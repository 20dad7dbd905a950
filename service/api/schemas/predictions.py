"""Predictions on the wire."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from service.api.schemas.fields import Fraction, Incoming, Label, Outgoing
from service.api.schemas.shapes import exactly_one
from service.operations.predictions import MAX_POINTS

Composition = Annotated[dict[Label, Fraction], Field(min_length=1, max_length=20)]
"""Atomic fraction by element; elements left out are absent."""
Condition = Annotated[float, Field(strict=True, allow_inf_nan=False)] | Label
"""A process value: a number in the variable's unit, or one of its choices."""


class GridAsked(Incoming):
    """A regular grid over the compositions that obey the rules."""

    divisions: Annotated[int, Field(strict=True, ge=1, le=1000)]
    """Fractions are multiples of 1 over this."""


class LineAsked(Incoming):
    """Compositions evenly spaced between two ends."""

    a: Composition
    b: Composition
    points: Annotated[int, Field(strict=True, ge=2, le=MAX_POINTS)]


class PredictionAsk(Incoming):
    """Where to predict: exactly one of `compositions`, `grid` and `line`."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"compositions": [{"Fe": 0.7, "Ga": 0.3}]},
                {"grid": {"divisions": 20}, "process": {"anneal_c": 450.0}},
                {"line": {"a": {"Fe": 1.0}, "b": {"Fe": 0.5, "Pd": 0.5}, "points": 50}},
            ],
            **exactly_one(compositions="array", grid="object", line="object"),
        },
    )

    compositions: Annotated[list[Composition], Field(min_length=1, max_length=MAX_POINTS)] | None = None
    grid: GridAsked | None = None
    line: LineAsked | None = None
    process: Annotated[dict[Label, Condition], Field(max_length=100)] | None = None
    """Every process variable in physical units; mid range and first choices if left out."""

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        given = [name for name in ("compositions", "grid", "line") if getattr(self, name) is not None]
        if len(given) != 1:
            named = " and ".join(given) or "none"
            raise ValueError(f"exactly one of compositions, grid and line must be given, got {named}")
        return self


class PropertyPredictionRead(Outgoing):
    """One property at every point, in its own unit."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    property: str
    unit: str
    mean: list[float]
    """What the material is expected to have."""
    latent_sd: list[float]
    """How well that is known; goes to 0 with data."""
    noise_sd: list[float]
    """How far one reading scatters; more data does not lower it."""
    film_effect_sd: list[float]
    """How far whole films lie off at equal composition."""
    reading_sd: list[float]
    """Of one reading on a film not yet made: the root of the sum of the three squares."""


class PredictionsRead(Outgoing):
    """What a model version believes at each point."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    model_version_id: str
    campaign_id: str
    revision: int
    """Revision of the dataset that the model has seen."""
    process: dict[str, float | str]
    """Process conditions at which was predicted, in physical units."""
    points: list[dict[str, float]]
    feasible: list[bool]
    """Whether each point obeys every rule of the search space; elsewhere the model extrapolates."""
    works: list[float] | None
    """Probability that a device of this composition works; null where no device ever died."""
    properties: list[PropertyPredictionRead]
