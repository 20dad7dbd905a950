"""Proposals on the wire."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from service.api.schemas.fields import MOST_ELEMENTS, Composition, Incoming, Instant, Label, Note, Outgoing
from service.api.schemas.shapes import absent, among, either, every, given

Command = Annotated[float, Field(strict=True, ge=0.0, le=1e12, allow_inf_nan=False)]
ProcessValue = Annotated[float, Field(strict=True, ge=-1e100, le=1e100, allow_inf_nan=False)] | Label
ProposalState = Literal[
    "ready", "leased", "running", "overdue", "made", "measured", "failed", "superseded", "cancelled"
]


class CommandsWanted(Incoming):
    """What the sources shall be told at both ends, by element; sources left out are off."""

    a: Annotated[dict[Label, Command], Field(min_length=1, max_length=MOST_ELEMENTS)]
    b: Annotated[dict[Label, Command], Field(min_length=1, max_length=MOST_ELEMENTS)]


class ProposalCreate(Incoming):
    """A film that a person wants made: by its ends, or by its commands where the campaign has a deposition grid."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "a": {"Fe": 0.9, "Ga": 0.1},
                    "b": {"Fe": 0.7, "Ga": 0.3},
                    "process": {"anneal_c": 450.0},
                    "reason": "repeat of the best region",
                }
            ],
            **either(
                every(given(a="object", b="object"), absent("commands")),
                every(given(commands="object"), absent("a", "b")),
            ),
        },
    )

    a: Composition | None = None
    """Composition of end A; elements left out are absent."""
    b: Composition | None = None
    commands: CommandsWanted | None = None
    process: Annotated[dict[Label, ProcessValue], Field(max_length=MOST_ELEMENTS)] = Field(default_factory=dict)
    """Every process variable of the campaign in its unit."""
    reason: Note

    @model_validator(mode="after")
    def _is_one_film(self) -> Self:
        if (self.a is None) != (self.b is None) or (self.a is None) == (self.commands is None):
            raise ValueError("either both ends a and b, or commands must be given")
        return self


class ProposalAct(Incoming):
    """What to do with a proposal."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [{"action": "prioritise"}, {"action": "resolve", "outcome": "equipment"}],
            **either(
                every(among("action", "cancel", "prioritise"), absent("outcome", "compositions", "note")),
                every(among("action", "resolve"), among("outcome", "ok", "partial")),
                every(
                    among("action", "resolve"),
                    among("outcome", "infeasible", "equipment", "operator", "running"),
                    absent("compositions"),
                ),
            ),
        },
    )

    action: Literal["cancel", "prioritise", "resolve"]
    outcome: Literal["ok", "partial", "infeasible", "equipment", "operator", "running"] | None = None
    """Of an overdue film that is resolved; `running`: it is still being made, its lease runs anew."""
    compositions: Annotated[list[Composition], Field(min_length=1, max_length=200)] | None = None
    """Of each device as made, if the film was made and they are known."""
    note: Note | None = None

    @model_validator(mode="after")
    def _says_what_came_of_it(self) -> Self:
        if (self.action == "resolve") != (self.outcome is not None):
            raise ValueError("outcome must be given to resolve, and only then")
        if self.compositions is not None and self.outcome not in {"ok", "partial"}:
            raise ValueError("compositions are of a film that was made: outcome ok or partial")
        if self.note is not None and self.action != "resolve":
            raise ValueError("a note is kept with the film that is resolved")
        return self


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


class FlightRead(Outgoing):
    """A film that was in flight when another one was chosen beside it."""

    proposal_id: str
    film_id: str | None
    """Null while its making was not started."""
    devices: list[int]
    """Those of its devices that were not yet read."""


class ProvenanceRead(Outgoing):
    """Everything from which the proposal can be computed again."""

    config_revision: int
    revision: int
    snapshot_hash: str | None
    """Null if a person asked for the film: it was not chosen from data."""
    model_version_id: str | None
    averaged_over: int | None = None
    """Equally likely sets of hyperparameters over which the model averages."""
    generator_version_id: str | None = None
    """Generator whose draws the search could begin from; null if there was none."""
    start: Literal["systematic", "uniform", "jitter", "generator"] | None = None
    """What laid the film from which the search came to this one: by rule, or through a composition drawn evenly, near
    what was read, or by the generator. Null if nothing was searched."""
    policy: str
    policy_options: dict[str, Any]
    seed: int
    decision_id: str | None = None
    """The decision that chose it; null if a person asked for the film."""
    pending_film_count: int
    pending: list[FlightRead] | None = None
    """The films in flight; null where this was not kept. `GET /v1/proposals/{id}/inputs` has what they are made of."""
    prior_data: tuple[str, ...] = ()
    """Ids of the prior data that the decision rests on."""
    code_version: str
    """Version of Filmloop, `+`, and a hash of the source of its science."""
    versions: dict[str, str]


class EndsRead(Outgoing):
    """What the sources are told at both ends, by element."""

    a: dict[str, float]
    b: dict[str, float]


class FlightWholeRead(FlightRead):
    """A film in flight as the decision has seen it."""

    a: dict[str, float]
    b: dict[str, float]
    process_columns: list[float]
    """Process variables, each scaled to 0 to 1; categories as one column per choice."""
    mixing: list[float]
    """Share of end B at each of `devices`."""
    as_made: list[dict[str, float]] | None
    """Compositions of `devices` where something was known of them by then; null if the film was on the line of its
    ends."""
    commands: EndsRead | None


class InputsRead(Outgoing):
    """What else than dataset, configuration and model a proposal was computed from."""

    seed: int
    films_known: int
    """Films with a reading, and films in flight."""
    left: int | None
    """Films that the budget left; null if it had no end."""
    pending: list[FlightWholeRead]
    """Films in flight, with their devices that were not yet read."""
    started_from: str | None
    """Model version from which the training of the decision's model began; null if it began cold."""
    generator: str | None = None
    """Generator that was at hand, a model version; null if there was none."""
    environment: dict[str, str]
    """Device, threads and processor of the worker."""


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
