"""Proposals on the wire."""

from typing import Any, Literal

from pydantic import ConfigDict

from service.api.schemas.fields import Instant, Outgoing

ProposalState = Literal[
    "ready", "leased", "running", "overdue", "made", "measured", "failed", "superseded", "cancelled"
]


class PredictedRead(Outgoing):
    """What the model expects of one property of one device, in its own unit."""

    mean: float
    sd: float


class ProposedDeviceRead(Outgoing):
    """One device of a proposed film."""

    index: int
    position: float
    """Along the gradient, 0 at end A, 1 at end B."""
    composition: dict[str, float]
    """Atomic fraction by element."""
    predicted: PredictedRead | dict[str, PredictedRead] | None
    """Of the campaign's only property; of several, each by its name. Null without a model."""


class CommandsRead(Outgoing):
    """What the sources are told at both ends, by element."""

    a: dict[str, float]
    b: dict[str, float]
    unit: str


class ProposedFilmRead(Outgoing):
    """A film to make."""

    a: dict[str, float]
    """Composition of end A."""
    b: dict[str, float]
    """Composition of end B."""
    process: dict[str, float | str]
    """Process conditions in physical units, by variable."""
    commands: CommandsRead | None = None
    """Null without a deposition grid."""
    positions: list[float]
    devices: list[ProposedDeviceRead]


class AlternativeRead(Outgoing):
    """A film that was not chosen."""

    a: dict[str, float]
    b: dict[str, float]
    process: dict[str, float | str]
    gain: float
    pair: list[str] | None
    """The two elements that trade along it, where the campaign makes pair gradients."""


class PairRead(Outgoing):
    """What the best film gains that grades two elements against each other."""

    pair: list[str]
    gain: float
    """As the proposal's own gain."""


class ProvenanceRead(Outgoing):
    """Everything from which the proposal can be computed again."""

    config_revision: int
    revision: int
    snapshot_hash: str
    model_version_id: str | None
    averaged_over: int | None = None
    """Equally likely sets of hyperparameters over which the model averages."""
    policy: str
    policy_options: dict[str, Any]
    seed: int
    pending_film_count: int
    code_version: str
    versions: dict[str, str]


class ProposalRead(Outgoing):
    """A film promised to the robots, with its reasons."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    campaign_id: str
    state: ProposalState
    rank: int
    fence: int
    film: ProposedFilmRead
    gain: float | None
    """Expected gain in the objective's unit, or in the product of the units of several; null if there is none."""
    reason: str
    source: Literal["model", "space_filling", "random", "person"]
    cost: float | None
    """What making the film costs, in the unit of the policy's cost model; null if it has none."""
    alternatives: list[AlternativeRead]
    pairs: list[PairRead]
    """Which elements to grade: every pair that can be, the most gainful first."""
    provenance: ProvenanceRead
    film_id: str | None
    """The film, once its making was started."""
    stale: bool
    """Whether it waits or was claimed while the dataset is ahead of what it was chosen from."""
    rests_on_retracted: bool
    """Whether it was chosen from readings that were retracted since."""
    priority: int
    """Above 0 if a person wants it made: it is served first, and no newer decision supersedes it."""
    created_at: Instant
