"""Every table of the record. States are guarded by checks; one live thing of a kind by partial unique indices."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

CAMPAIGN_STATES = ("draft", "active", "paused", "draining", "completed", "aborted")
PROPOSAL_STATES = (
    "ready",
    "leased",
    "running",
    "overdue",
    "made",
    "measured",
    "failed",
    "superseded",
    "cancelled",
)
OUTSTANDING = ("leased", "running", "overdue", "made")
"""Proposal states whose films are on their way: the pending films of every decision."""
LEASE_STATES = ("live", "completed", "failed", "released", "expired")
FILM_STATES = ("running", "made", "measured", "failed", "overdue")
FILM_OUTCOMES = ("ok", "partial", "infeasible", "equipment", "operator")
JOB_STATES = ("pending", "leased", "succeeded", "failed", "dead")
SOURCES = ("model", "space_filling", "random")
READING_STATES = ("ok", "dead")
REVISION_CAUSES = ("created", "batch", "as_made")


def _one_of(column: str, values: tuple[str, ...], name: str, *, nullable: bool = False) -> CheckConstraint:
    listed = f"{column} IN ({', '.join(repr(v) for v in values)})"
    return CheckConstraint(f"{column} IS NULL OR {listed}" if nullable else listed, name=name)


class Base(DeclarativeBase):
    """Root of all tables: how constraints are named and how Python types are stored."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        dict[str, float]: JSONB,
        list[Any]: JSONB,
    }


class CampaignRow(Base):
    """A campaign: what is sought, and how far its data and its decisions have come."""

    __tablename__ = "campaign"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="draft")
    config_revision: Mapped[int] = mapped_column(server_default=text("1"))
    """Number of the configuration in force."""
    revision: Mapped[int] = mapped_column(server_default=text("0"))
    """Number of the newest revision of its dataset; changed under the campaign's lock only."""
    decided_revision: Mapped[int | None]
    """Revision of the newest published decision; never goes back."""
    exhausted: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether it was said in an event that the budget leaves no room for another film."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        _one_of("state", CAMPAIGN_STATES, "state"),
        CheckConstraint("revision >= 0", name="revision"),
        CheckConstraint("decided_revision <= revision", name="decided_revision"),
    )


class CampaignConfigRow(Base):
    """One numbered configuration of a campaign. Never changed: a change is a new number."""

    __tablename__ = "campaign_config"

    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    problem: Mapped[dict[str, Any]]
    """`models.problem.Problem` as JSON."""
    queue_depth: Mapped[int]
    """Ready proposals to keep in store."""
    budget_films: Mapped[int | None]
    """Most films that may be made; none means no bound."""
    lease_ttl_s: Mapped[int]
    """Seconds from a claim or renewal until a film that was not started goes back to the queue."""
    lease_overdue_s: Mapped[int]
    """Seconds from the start or renewal until a film in the making is overdue."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("queue_depth BETWEEN 1 AND 20", name="queue_depth"),
        CheckConstraint("budget_films >= 0", name="budget_films"),
        CheckConstraint("lease_ttl_s > 0 AND lease_overdue_s > 0", name="lease"),
    )


class InstrumentRow(Base):
    """An instrument of a campaign, registered when it first reports."""

    __tablename__ = "instrument"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (UniqueConstraint("campaign_id", "name"),)


class JobRow(Base):
    """Work for the workers: a lease by the database's clock, a fence that only rises. The broker is only its bell."""

    __tablename__ = "job"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="pending")
    wanted_revision: Mapped[int]
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    lease_until: Mapped[datetime | None]
    run_after: Mapped[datetime] = mapped_column(server_default=func.now())
    worker: Mapped[str | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        _one_of("kind", ("decide",), "kind"),
        _one_of("state", JOB_STATES, "state"),
        Index("uq_job_one_pending", "campaign_id", "kind", unique=True, postgresql_where=text("state = 'pending'")),
        Index("uq_job_one_leased", "campaign_id", "kind", unique=True, postgresql_where=text("state = 'leased'")),
        Index("ix_job_campaign_id_id", "campaign_id", "id"),
    )


class ArtifactRow(Base):
    """A file in the artifact store, named by the hash of its bytes. Written before its row."""

    __tablename__ = "artifact"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    """Bytes."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),)


class ModelVersionRow(Base):
    """A trained model with its lineage."""

    __tablename__ = "model_version"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"))
    artifact_sha256: Mapped[str] = mapped_column(ForeignKey("artifact.sha256"))
    kind: Mapped[str]
    name: Mapped[str]
    """Name in the catalog, e.g. `film_gp`."""
    revision: Mapped[int]
    snapshot_hash: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    metrics: Mapped[dict[str, Any]]
    versions: Mapped[dict[str, Any]]
    """Versions of the libraries it was trained with."""
    posterior: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), deferred=True)
    """Posterior map over the search space as it is served; large, so read only when asked for."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        _one_of("kind", ("surrogate", "generator"), "kind"),
        Index("ix_model_version_campaign_id_id", "campaign_id", "id"),
    )


class ProposalRow(Base):
    """A film promised to the robots: what to make, why, and how far it has come."""

    __tablename__ = "proposal"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"))
    """The decision it came from."""
    model_version_id: Mapped[str | None] = mapped_column(ForeignKey("model_version.id"))
    config_revision: Mapped[int]
    revision: Mapped[int]
    """Revision of the dataset that the decision has seen."""
    state: Mapped[str] = mapped_column(server_default="ready")
    rank: Mapped[int]
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    """Rises with every lease and every expiry, never falls."""
    film: Mapped[dict[str, Any]]
    """Ends, process, positions and devices with predictions, in physical units, as they are served."""
    gain: Mapped[float | None]
    source: Mapped[str]
    policy: Mapped[str]
    reason: Mapped[str]
    alternatives: Mapped[list[Any]]
    provenance: Mapped[dict[str, Any]]
    """Everything from which the decision can be computed again."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(
            ["campaign_id", "config_revision"], ["campaign_config.campaign_id", "campaign_config.number"]
        ),
        _one_of("state", PROPOSAL_STATES, "state"),
        _one_of("source", SOURCES, "source"),
        Index("ix_proposal_campaign_id_id", "campaign_id", "id"),
        # The queue in the order in which it is served: the newest decision first, then by rank.
        Index(
            "ix_proposal_ready",
            "campaign_id",
            text("revision DESC"),
            "rank",
            "id",
            postgresql_where=text("state = 'ready'"),
        ),
        Index("ix_proposal_campaign_id_state", "campaign_id", "state"),
    )


class LeaseRow(Base):
    """A robot's right to move one proposal. It guards the proposal's state, never the data."""

    __tablename__ = "lease"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    proposal_id: Mapped[str] = mapped_column(ForeignKey("proposal.id"))
    robot: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="live")
    fence: Mapped[int]
    token: Mapped[str]
    """The secret itself, not its hash: the same robot asking again must get the same token back, and whoever can read
    this table can change the proposals without it. It tells a live robot from a zombie; it is not a credential."""
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        _one_of("state", LEASE_STATES, "state"),
        Index("uq_lease_one_per_robot", "campaign_id", "robot", unique=True, postgresql_where=text("state = 'live'")),
        Index("uq_lease_one_per_proposal", "proposal_id", unique=True, postgresql_where=text("state = 'live'")),
        Index("ix_lease_live_expires_at", "expires_at", postgresql_where=text("state = 'live'")),
    )


class FilmRow(Base):
    """A film whose making was started: from here on material is spent."""

    __tablename__ = "film"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    proposal_id: Mapped[str] = mapped_column(ForeignKey("proposal.id"), unique=True)
    robot: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="running")
    outcome: Mapped[str | None]
    note: Mapped[str | None]
    process: Mapped[dict[str, Any]]
    """Process conditions in physical units, by variable name."""
    devices: Mapped[int]
    """Number of device positions, K."""
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    completed_at: Mapped[datetime | None]

    __table_args__ = (
        _one_of("state", FILM_STATES, "state"),
        _one_of("outcome", FILM_OUTCOMES, "outcome", nullable=True),
        Index("ix_film_campaign_id_id", "campaign_id", "id"),
    )


class CompositionReadingRow(Base):
    """What one device of a film is made of: as proposed (`nominal`) or as made, and the revision it counts from."""

    __tablename__ = "composition_reading"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    film_id: Mapped[str] = mapped_column(ForeignKey("film.id"))
    device: Mapped[int]
    position: Mapped[float]
    kind: Mapped[str]
    revision: Mapped[int]
    """The snapshot at revision t uses the newest as-made reading with a revision <= t, else the nominal one."""
    composition: Mapped[dict[str, float]]
    """Atomic fraction by element; sums to 1."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        _one_of("kind", ("nominal", "as_made"), "kind"),
        CheckConstraint("device >= 0", name="device"),
        UniqueConstraint("film_id", "device", "kind", "revision"),
    )


class MeasurementBatchRow(Base):
    """What an instrument sent at once; all of it or nothing was stored."""

    __tablename__ = "measurement_batch"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    instrument_id: Mapped[str] = mapped_column(ForeignKey("instrument.id"))
    revision: Mapped[int]
    accepted: Mapped[int]
    duplicates: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index("ix_measurement_batch_campaign_id_id", "campaign_id", "id"),)


class MeasurementRow(Base):
    """One reading of one property at one device. Append-only."""

    __tablename__ = "measurement"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    batch_id: Mapped[str] = mapped_column(ForeignKey("measurement_batch.id"))
    instrument_id: Mapped[str] = mapped_column(ForeignKey("instrument.id"))
    film_id: Mapped[str] = mapped_column(ForeignKey("film.id"))
    device: Mapped[int]
    uid: Mapped[str]
    """Permanent name given by the instrument."""
    property: Mapped[str]
    unit: Mapped[str]
    value: Mapped[float | None]
    status: Mapped[str]
    std_uncertainty: Mapped[float | None]
    measured_at: Mapped[datetime]
    revision: Mapped[int]
    """Revision of the dataset from which it counts."""
    retracted_revision: Mapped[int | None]
    """Revision of the dataset from which it no longer counts."""
    row_hash: Mapped[str]
    """SHA-256 of its content: tells a repeated row from a contradicting one, and makes the snapshot's hash."""

    __table_args__ = (
        _one_of("status", READING_STATES, "status"),
        CheckConstraint("(status = 'dead') = (value IS NULL)", name="value"),
        CheckConstraint("std_uncertainty > 0", name="std_uncertainty"),
        CheckConstraint("device >= 0", name="device"),
        UniqueConstraint("campaign_id", "instrument_id", "uid"),
        Index("ix_measurement_campaign_id_revision", "campaign_id", "revision"),
        Index("ix_measurement_film_id_device", "film_id", "device"),
    )


class RevisionRow(Base):
    """One change of a campaign's dataset, numbered in the order of commits. Number 0 is the empty dataset."""

    __tablename__ = "revision"

    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    cause: Mapped[str]
    cause_id: Mapped[str | None]
    """Id of the batch or film that caused it."""
    snapshot_hash: Mapped[str | None]
    """Hash of the active readings; computed when it is first asked for, then kept."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (_one_of("cause", REVISION_CAUSES, "cause"), CheckConstraint("number >= 0", name="number"))


class EventRow(Base):
    """What happened in a campaign, numbered in the order of commits. Append-only."""

    __tablename__ = "event"

    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    type: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    data: Mapped[dict[str, Any]]


class IdempotencyRow(Base):
    """The answer to a request, kept under its key and written in the transaction of the request's effect."""

    __tablename__ = "idempotency"

    scope: Mapped[str] = mapped_column(primary_key=True)
    """The request's method and path: the same key may be used on another door."""
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str]
    status: Mapped[int]
    body: Mapped[Any] = mapped_column(JSON)
    """JSON as text, not JSONB, so that a replay keeps the order of the fields and every digit."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index(None, "created_at"),)
