"""Decisions: the jobs that make them, the models they rest on, the proposals they end in."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from service.store.tables.base import JOB_KINDS, JOB_STATES, PROPOSAL_STATES, SOURCES, Base, one_of


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
        one_of("kind", JOB_KINDS, "kind"),
        one_of("state", JOB_STATES, "state"),
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
    config_revision: Mapped[int] = mapped_column(server_default=text("1"))
    """Configuration whose problem gives its columns and properties a meaning."""
    revision: Mapped[int]
    snapshot_hash: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    started_from_id: Mapped[str | None] = mapped_column(ForeignKey("model_version.id"))
    """Model version from which the search of its hyperparameters began; none if it began cold."""
    metrics: Mapped[dict[str, Any]]
    versions: Mapped[dict[str, Any]]
    """Versions of the libraries it was trained with."""
    posterior: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), deferred=True)
    """Posterior map over the search space as it is served; large, so read only when asked for."""
    insights: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), deferred=True)
    """What a researcher asks of the model, as it is served: `recommendation`, `pareto`. Read only when asked for."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        one_of("kind", ("surrogate", "generator"), "kind"),
        Index("ix_model_version_campaign_id_id", "campaign_id", "id"),
    )


class ProposalRow(Base):
    """A film promised to the robots: what to make, why, and how far it has come."""

    __tablename__ = "proposal"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    job_id: Mapped[str | None] = mapped_column(ForeignKey("job.id"))
    """The decision it came from; none if a person asked for the film."""
    model_version_id: Mapped[str | None] = mapped_column(ForeignKey("model_version.id"))
    config_revision: Mapped[int]
    revision: Mapped[int]
    """Revision of the dataset that the decision has seen."""
    state: Mapped[str] = mapped_column(server_default="ready")
    rank: Mapped[int]
    priority: Mapped[int] = mapped_column(server_default=text("0"))
    """Above 0 if a person wants it made: then it is served first, and no newer decision supersedes it."""
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    """Rises with every lease and every expiry, never falls."""
    film: Mapped[dict[str, Any]]
    """Ends, process, positions and devices with predictions, in physical units, as they are served."""
    gain: Mapped[float | None]
    cost: Mapped[float | None]
    """What making the film costs, where the campaign counts costs."""
    source: Mapped[str]
    policy: Mapped[str]
    reason: Mapped[str]
    alternatives: Mapped[list[Any]]
    pairs: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    """What grading each pair of elements against each other would gain, best first."""
    provenance: Mapped[dict[str, Any]]
    """Everything from which the decision can be computed again."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(
            ["campaign_id", "config_revision"], ["campaign_config.campaign_id", "campaign_config.number"]
        ),
        one_of("state", PROPOSAL_STATES, "state"),
        one_of("source", SOURCES, "source"),
        Index("ix_proposal_campaign_id_id", "campaign_id", "id"),
        # The queue in the order in which it is served: what a person wants, the newest decision, then by rank.
        Index(
            "ix_proposal_ready",
            "campaign_id",
            text("priority DESC"),
            text("revision DESC"),
            "rank",
            "id",
            postgresql_where=text("state = 'ready'"),
        ),
        Index("ix_proposal_campaign_id_state", "campaign_id", "state"),
    )


class DecisionRow(Base):
    """Where a campaign stood when a decision was published: one line of the history that the stop advice reads."""

    __tablename__ = "decision"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    model_version_id: Mapped[str | None] = mapped_column(ForeignKey("model_version.id"))
    revision: Mapped[int]
    """Revision of the dataset that the decision has seen."""
    films: Mapped[int]
    """Films with a reading at that revision."""
    readings: Mapped[int]
    pending: Mapped[int]
    """Films in flight."""
    policy: Mapped[str | None]
    """Policy that chose the first film; none if no film was proposed."""
    source: Mapped[str | None]
    expected_gain: Mapped[float | None]
    """What the first film is expected to gain, in the objective's unit (of several objectives: hypervolume)."""
    cost: Mapped[float | None]
    best_mean: Mapped[float | None]
    """Property expected at the recommended composition, its own unit; of several objectives the hypervolume."""
    best_sd: Mapped[float | None]
    noise_sd: Mapped[float | None]
    """Standard deviation of a typical reading, in the objective's unit."""
    film_effect_sd: Mapped[float | None]
    """Standard deviation of a film's offset, in the objective's unit."""
    inputs: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), deferred=True)
    """What else it was computed from: seed, films in flight, budget left, the model that training began from, machine.
    None of a decision from before this was kept."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index("ix_decision_campaign_id_revision", "campaign_id", "revision"),)
