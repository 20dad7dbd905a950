"""Insights on the wire: what a researcher asks of a campaign."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from models.stopping import Stopping
from service.api.dependencies import MAX_PAGE
from service.api.schemas.fields import Instant, Outgoing


class _Read(Outgoing):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class CandidateRead(_Read):
    """A composition that may be the best."""

    composition: dict[str, float]
    process: dict[str, float | str]
    mean: float
    """Expected of the objective, in its own unit."""
    sd: float
    """Of the property itself, without reading noise and film effect."""
    chance_within_limits: float
    """Probability that every outcome keeps within its limits."""
    probability_best: float
    """Probability that the best of all compositions lies nearer to this one than to its rivals."""
    chance_within_tolerance: float | None = None
    """Probability that the objective lies within its tolerance of the target; null without either."""


class RecommendationRead(CandidateRead):
    """The composition with the best expected value, not the luckiest reading; and its rivals."""

    model_config = ConfigDict(
        frozen=True,
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "campaign_id": "cmp_01k9zq3v7e8m5r2t4w6y8a0b1c",
                    "model_version_id": "mdl_01k9zq41xw2h7n9c3d5f6g8j0k",
                    "revision": 12,
                    "stale": False,
                    "rests_on_retracted": False,
                    "composition": {"Fe": 0.78, "Ga": 0.15, "Pd": 0.07},
                    "process": {"anneal_c": 450.0},
                    "property": "magnetisation",
                    "unit": "V",
                    "mean": 10.92,
                    "sd": 0.12,
                    "chance_within_limits": 1.0,
                    "probability_best": 0.91,
                    "distance_to_measured": 0.006,
                    "nearest_measured": {"Fe": 0.784, "Ga": 0.146, "Pd": 0.07},
                    "rivals": [],
                }
            ]
        },
    )

    campaign_id: str
    model_version_id: str
    revision: int
    """Revision of the dataset that the model has seen."""
    stale: bool
    """Whether the dataset is ahead of the model."""
    rests_on_retracted: bool
    """Whether the model was trained on readings that were retracted since."""
    property: str
    unit: str
    target: float | None = None
    """What is to be matched; null where the objective is to be large or small."""
    tolerance: float | None = None
    """How far from the target is as good; null without a target."""
    distance_to_measured: float
    """Largest difference of an atomic fraction to the nearest composition that was read."""
    nearest_measured: dict[str, float]
    rivals: list[CandidateRead]
    """Clearly different compositions that may be better, the most probable first."""


class BelievedRead(_Read):
    """What is expected of one property, in its own unit."""

    property: str
    mean: float
    sd: float


class TradeOffRead(_Read):
    """A composition on the front of the best trade-offs."""

    composition: dict[str, float]
    process: dict[str, float | str]
    values: list[BelievedRead]
    """Of every objective, then of every outcome."""
    chance_within_limits: float
    probability_on_front: float
    """Probability that it keeps every limit and that nothing clearly different is better in all objectives."""
    distance_to_measured: float


class ReferenceRead(_Read):
    """Where an objective begins to count."""

    property: str
    unit: str
    value: float
    """Of the two as far from a target, the larger."""
    inferred: bool
    """Whether the campaign left it to the readings."""


class VolumeRead(_Read):
    """Hypervolume between reference point and front."""

    mean: float
    sd: float


class ParetoRead(_Read):
    """The best trade-offs between the objectives, as the model believes them."""

    campaign_id: str
    model_version_id: str
    revision: int
    stale: bool
    rests_on_retracted: bool
    points: list[TradeOffRead]
    """The best in the first objective first; empty if nothing is likely to keep the limits."""
    reference: list[ReferenceRead]
    hypervolume_measured: VolumeRead
    """Of what was read."""
    hypervolume_believed: VolumeRead
    """Of that and of every composition: what lies between the two is still to be gained."""
    hypervolume_unit: str


class PropertyCalibrationRead(_Read):
    """How well one property was predicted, each film from all the others."""

    property: str
    unit: str
    readings: int | None
    films: int | None
    noise_sd: float | None
    film_effect_sd: float | None
    leave_film_out: dict[str, Any] | None
    """Share of readings inside their 50, 90 and 95 % intervals, mean log density, reliability; null with one film."""


class CalibrationRead(_Read):
    """How far the intervals of one model version can be trusted."""

    model_version_id: str
    revision: int
    created_at: Instant
    properties: list[PropertyCalibrationRead]


class StandingRead(_Read):
    """Where the campaign stood at one decision."""

    revision: int
    films: int
    """Films with a reading."""
    readings: int
    pending: int
    """Films in flight."""
    policy: str | None
    source: str | None
    expected_gain: float | None
    """What the first proposed film was expected to gain; null if no model chose it."""
    cost: float | None
    best_mean: float | None
    """Expected at the recommended composition; of several objectives the hypervolume."""
    best_sd: float | None
    noise_sd: float | None
    """Of a typical reading; null with several objectives."""
    film_effect_sd: float | None
    model_version_id: str | None
    created_at: Instant


class StopAsked(Stopping):
    """What the lab holds to be small, as query parameters, and how much history to show."""

    limit: int = Field(default=200, ge=1, le=MAX_PAGE)
    """Most decisions that are looked at, the newest ones."""


class StopOptionsRead(_Read):
    """What was held to be small."""

    patience: int
    horizon: int
    resolution: float | None
    worth: float | None


class StopAdviceRead(_Read):
    """Advice for people: nothing acts on it."""

    model_config = ConfigDict(
        frozen=True,
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "campaign_id": "cmp_01k9zq3v7e8m5r2t4w6y8a0b1c",
                    "revision": 12,
                    "advice": "consider stopping",
                    "why": "The next film is expected to gain 0.04 V, and for 3 films in a row less than the 0.15 V "
                    "by which one reading scatters.",
                    "unit": "V",
                    "resolution": 0.15,
                    "quiet_films": 3,
                    "films_left": 8,
                    "options": {"patience": 3, "horizon": 10, "resolution": None, "worth": None},
                    "history": [],
                }
            ]
        },
    )

    campaign_id: str
    revision: int
    advice: Literal["go on", "consider stopping", "stop"]
    why: str
    unit: str
    """Of gains and deviations."""
    resolution: float | None
    """Smallest difference that was held to matter; null while it is not known."""
    quiet_films: int
    """Film counts in a row, up to the newest, at which a film was expected to gain less than that."""
    films_left: int | None
    """By the budget; null without one."""
    options: StopOptionsRead
    history: list[StandingRead]
    """Decisions, oldest first."""
