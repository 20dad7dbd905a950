"""What this Filmloop can do, on the wire."""

from typing import Any, Literal

from service.api.schemas.fields import Outgoing


class VersionsRead(Outgoing):
    """What is running."""

    api: Literal["1"]
    """Of the API; it is the first part of every address."""
    filmloop: str
    """Version of Filmloop, `+`, and a hash of the source of its science."""
    database_schema: str
    """The one that this code needs; `/readyz` says whether the database has it."""


class SurrogateRead(Outgoing):
    """A model that a campaign may choose."""

    name: str
    summary: str
    options: dict[str, Any]
    """JSON Schema of what is given as `problem.surrogate`."""


class PolicyRead(Outgoing):
    """A policy that a campaign may choose."""

    name: str
    summary: str
    fewest_objectives: int
    most_objectives: int
    heeds_outcomes: bool
    """Whether films that break the limits of an outcome are worth less to it."""
    seeks_targets: bool
    """Whether it serves objectives that are to match a target."""
    options: dict[str, Any]
    """JSON Schema of what is given as `problem.policy`."""


class BatchTypeRead(Outgoing):
    """A form in which measurements are taken."""

    media_type: str
    most_rows: int
    most_bytes: int
    """Packed and unpacked."""


class MeasurementsRead(Outgoing):
    """How measurements are taken."""

    media_types: list[BatchTypeRead]
    content_encodings: list[str]
    statuses: list[str]
    places: list[str]
    """Fields by which a device is named; one of them is given."""


class UnitsRead(Outgoing):
    """How units are written."""

    grammar: str
    """In the notation of RFC 5234."""
    most_characters: int
    examples: list[str]
    own_scales: list[str]
    """Words that are taken as they are and never converted, as is text in square brackets."""


class AttachmentsTakenRead(Outgoing):
    """How arrays are taken."""

    kinds: list[str]
    dtypes: list[str]
    most_attachments: int
    """In one request."""
    most_points: int
    """Numbers of one array."""
    most_axes: int


class LimitsRead(Outgoing):
    """Bounds that a client should know before it meets them."""

    body_bytes: int
    """Of a request that is no measurement batch in a form of its own."""
    page_items: int
    dataset_page_rows: int
    idempotency_key_characters: int
    claim_wait_s: float
    event_streams: int
    """That one process serves at once."""
    event_heartbeat_s: float
    """Longest silence on a stream of events."""


class CapabilitiesRead(Outgoing):
    """What a client needs to know before it starts."""

    versions: VersionsRead
    surrogates: list[SurrogateRead]
    policies: list[PolicyRead]
    measurements: MeasurementsRead
    units: UnitsRead
    attachments: AttachmentsTakenRead
    limits: LimitsRead
    features: list[str]
    """Names are stable; what is not listed is not there."""
