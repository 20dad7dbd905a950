"""What Filmloop answers, typed. Fields that a newer service adds are kept, not refused."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Composition = dict[str, float]
"""Atomic fraction of each element; they sum to 1."""


class Answer(BaseModel):
    """What every answer has in common: it never changes, and may hold more than this client knows."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())


class Predicted(Answer):
    """What the model expects of a property at a device, in its own unit; `sd` is without reading noise."""

    mean: float
    sd: float


class ProposedDevice(Answer):
    """One measurable spot of a film that was proposed."""

    index: int
    position: float
    composition: Composition
    predicted: Predicted | dict[str, Predicted] | None = None
    """Of the campaign's only property; of several, each by its name."""


class Commands(Answer):
    """What the sources are told at both ends of a film, by element, in `unit`."""

    a: dict[str, float]
    b: dict[str, float]
    unit: str


class ProposedFilm(Answer):
    """A film to be made: end compositions `a` and `b`, process conditions, devices along the gradient."""

    a: Composition
    b: Composition
    process: dict[str, float | str] = {}
    positions: list[float] = []
    devices: list[ProposedDevice]
    commands: Commands | None = None


class Pair(Answer):
    """What the best film gains that grades two elements against each other."""

    pair: list[str]
    gain: float


class Proposal(Answer):
    """A film that Filmloop promises to a robot, why, and from which data it was decided."""

    id: str
    campaign_id: str
    state: str
    film: ProposedFilm
    rank: int = 0
    fence: int = 0
    gain: float | None = None
    reason: str = ""
    source: str = ""
    cost: float | None = None
    alternatives: list[dict[str, Any]] = []
    pairs: list[Pair] = []
    provenance: dict[str, Any] = {}
    film_id: str | None = None
    stale: bool = False
    rests_on_retracted: bool = False
    priority: int = 0
    created_at: datetime | None = None


class Lease(Answer):
    """A robot's right to a proposal, until `expires_at` unless it is renewed."""

    id: str
    fence: int
    robot: str
    expires_at: datetime
    token: str = ""


class FilmDevice(Answer):
    """One measurable spot of a film: proposed and, once known, as made."""

    index: int
    position: float
    proposed: Composition
    as_made: Composition | None = None
    readings: int = 0
    retracted: int = 0
    dead: bool = False

    @property
    def composition(self) -> Composition:
        """As made if that is known, else as proposed."""
        return self.as_made or self.proposed


class Film(Answer):
    """A film that is being made or was made."""

    id: str
    campaign_id: str
    state: str
    devices: list[FilmDevice]
    proposal_id: str | None = None
    robot: str | None = None
    outcome: str | None = None
    process: dict[str, float | str] = {}
    started_at: datetime | None = None
    completed_at: datetime | None = None


class CampaignState(Answer):
    """A campaign as it stood when it was read."""

    id: str
    name: str
    state: str
    problem: dict[str, Any]
    config_revision: int = 1
    revision: int = 0
    films_made: int = 0
    queue_depth: int = 1
    budget: dict[str, float | None] = {}
    cloned_from: dict[str, Any] | None = None
    """`campaign_id` and `config_revision` that it began with."""


class RowResult(Answer):
    """What became of one row of a batch."""

    row: int
    """Its number, from 0."""
    status: Literal["accepted", "duplicate", "refused"]
    measurement_id: str | None = None
    errors: list[dict[str, str]] = []
    """Why it was refused: `pointer` and `message` of each fault."""


class Batch(Answer):
    """Receipt for measurements: they are stored, whatever happens next."""

    id: str | None
    """None if the batch was only checked: then nothing was stored."""
    campaign_id: str
    instrument: str
    revision: int
    accepted: int
    duplicates: int = 0
    refused: int = 0
    measurement_ids: list[str | None] = []
    """In the order of the rows; None for refused ones. Empty for more than 1,000 rows."""
    results: list[RowResult] | None = None
    """With `atomic=False`: of each row; of more than 1,000, of the first 1,000 that were not accepted."""


class DatasetRow(Answer):
    """One reading as the model sees it."""

    uid: str
    film_id: str
    device: int
    composition: Composition
    property: str
    value: float | None = None
    std_uncertainty: float | None = None
    replicates: int | None = None
    status: str = "ok"


class Dataset(Answer):
    """Every active reading of a campaign at one revision; the same revision always has the same `snapshot_hash`."""

    campaign_id: str
    revision: int
    snapshot_hash: str
    rows: list[DatasetRow]
    prior_data: list[dict[str, Any]] = []
    """What was read elsewhere and is part of it: `id`, `name`, `rows`, `hash` of each source."""


class ModelVersion(Answer):
    """A trained model with its lineage."""

    id: str
    campaign_id: str
    revision: int
    kind: str = ""
    name: str = ""
    config_revision: int = 1
    rests_on_retracted: bool = False
    """Whether readings that it was trained on were retracted since."""
    metrics: dict[str, Any] = {}
    created_at: datetime | None = None


class BestComposition(Answer):
    """Where the model expects the best value, in the objective's unit."""

    composition: Composition
    mean: float
    sd: float


class PropertyMap(Answer):
    """Mean and standard deviation of one property at every point of a map, in its own unit."""

    mean: list[float]
    sd: list[float]


class Posterior(Answer):
    """The model's belief on a set of compositions: `mean` and `sd` of the first objective, and of all `properties`."""

    points: list[Composition]
    mean: list[float]
    sd: list[float]
    properties: dict[str, PropertyMap] = {}
    best: BestComposition


class PropertyPrediction(Answer):
    """One property at every point that was asked, in its own unit. What is uncertain stays apart by its cause.

    `latent_sd` is of the property itself, `noise_sd` of one reading about it, `film_effect_sd` of a film's offset;
    `reading_sd` is of one reading on a film not yet made, all three together.
    """

    property: str
    unit: str
    mean: list[float]
    latent_sd: list[float]
    noise_sd: list[float]
    film_effect_sd: list[float]
    reading_sd: list[float]


class Predictions(Answer):
    """What a model believes at each point; `feasible` says which points obey the campaign's rules."""

    model_version_id: str
    campaign_id: str
    revision: int
    process: dict[str, float | str] = {}
    points: list[Composition]
    feasible: list[bool]
    works: list[float] | None = None
    """Probability that a device works; None where no device ever died."""
    properties: list[PropertyPrediction]


class Candidate(Answer):
    """A composition that may be the best: what is expected there, and its probabilities; None where there is none."""

    composition: Composition
    process: dict[str, float | str] = {}
    mean: float
    sd: float
    chance_within_limits: float = 1.0
    probability_best: float
    chance_within_tolerance: float | None = None


class Recommendation(Candidate):
    """Where the newest model expects the best value, and clearly different compositions that may be better."""

    model_version_id: str
    revision: int
    stale: bool = False
    rests_on_retracted: bool = False
    property: str
    unit: str
    target: float | None = None
    """What is to be matched; None where the objective is to be large or small."""
    tolerance: float | None = None
    distance_to_measured: float
    nearest_measured: Composition = {}
    rivals: list[Candidate] = []


class Believed(Answer):
    """What is expected of one property, in its own unit."""

    property: str
    mean: float
    sd: float


class TradeOff(Answer):
    """A composition on the front of the best trade-offs, with the probability that it truly is on it."""

    composition: Composition
    process: dict[str, float | str] = {}
    values: list[Believed]
    chance_within_limits: float = 1.0
    probability_on_front: float
    distance_to_measured: float


class Reference(Answer):
    """Where an objective begins to count."""

    property: str
    unit: str
    value: float
    inferred: bool = False


class Volume(Answer):
    """Hypervolume between reference point and front."""

    mean: float
    sd: float


class Pareto(Answer):
    """The best trade-offs between several objectives, as the newest model believes them."""

    model_version_id: str
    revision: int
    stale: bool = False
    rests_on_retracted: bool = False
    points: list[TradeOff]
    reference: list[Reference]
    hypervolume_measured: Volume
    hypervolume_believed: Volume
    hypervolume_unit: str = ""


class PropertyCalibration(Answer):
    """How well one property was predicted, each film from all the others; `leave_film_out` is None with one film."""

    property: str
    unit: str
    readings: int | None = None
    films: int | None = None
    noise_sd: float | None = None
    film_effect_sd: float | None = None
    leave_film_out: dict[str, Any] | None = None


class Calibration(Answer):
    """How far the intervals of one model version can be trusted."""

    model_version_id: str
    revision: int
    created_at: datetime | None = None
    properties: list[PropertyCalibration]


class Standing(Answer):
    """Where a campaign stood at one decision."""

    revision: int
    films: int
    readings: int = 0
    pending: int = 0
    policy: str | None = None
    source: str | None = None
    expected_gain: float | None = None
    cost: float | None = None
    best_mean: float | None = None
    best_sd: float | None = None
    noise_sd: float | None = None
    film_effect_sd: float | None = None
    created_at: datetime | None = None


class StopAdvice(Answer):
    """Whether another film is worth making: `go on`, `consider stopping` or `stop`, and why. Nothing acts on it."""

    advice: str
    why: str
    unit: str = ""
    resolution: float | None = None
    quiet_films: int = 0
    films_left: int | None = None
    history: list[Standing] = []


class Event(Answer):
    """Something that happened in a campaign."""

    seq: int
    type: str
    at: datetime
    data: dict[str, Any] = {}
