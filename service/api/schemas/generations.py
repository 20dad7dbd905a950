"""Generations on the wire."""

from typing import Literal

from pydantic import ConfigDict, Field

from models.wanted import Constraints, Target, Wanted
from service.api.schemas.fields import Instant, Outgoing


class GenerationCreate(Wanted):
    """Compositions that are asked for: values that they should have, and rules beside those of the campaign."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "count": 10,
                    "targets": {"magnetisation": {"value": 12.5, "tolerance": 0.5}},
                    "constraints": {"bounds": [{"element": "Pd", "upper": 0.1}]},
                }
            ]
        },
    )


class GenerationAskedRead(Outgoing):
    """What was asked."""

    count: int
    targets: dict[str, Target]
    constraints: Constraints
    process: dict[str, float | str] | None


class ExpectedRead(Outgoing):
    """What is expected of one property, in its own unit."""

    mean: float
    sd: float


class VerdictRead(Outgoing):
    """What one test says of a composition."""

    name: str
    """`rules`, `novelty`, or the name of a property with a target or with limits."""
    passed: bool
    reason: str


class DesignRead(Outgoing):
    """One composition."""

    composition: dict[str, float]
    predicted: dict[str, ExpectedRead] | None
    """By property; null where no model was trained yet."""
    novelty: float | None
    """Sum of the absolute differences of fractions from the nearest composition that was read; null before any was."""
    verdicts: list[VerdictRead]


class DesignsRead(Outgoing):
    """What was drawn, the likeliest to be what is wanted first."""

    drawn_by: Literal["generator", "jitter", "uniform"]
    """The campaign's generator; else what was read, a little changed; before anything was read, even draws."""
    process: dict[str, float | str]
    """Process conditions at which was predicted, in physical units."""
    compositions: list[DesignRead]


class GenerationRead(Outgoing):
    """Compositions that were asked for, and the answer."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    campaign_id: str
    asked: GenerationAskedRead
    state: Literal["pending", "leased", "succeeded", "dead"]
    revision: int | None
    """Of the dataset that the answer rests on; null until the state is `succeeded`."""
    model_version_id: str | None
    """Model that predicted; null if there was none."""
    generator_version_id: str | None
    """Generator that drew; null if there was none that may be used."""
    answer: DesignsRead | None
    error: str | None = Field(description="Why there is no answer, or why the last attempt failed.")
    created_at: Instant
    finished_at: Instant | None
