"""Campaigns: what is sought, their numbered configurations and dataset revisions, what happened, what was answered."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from service.store.tables.base import CAMPAIGN_STATES, REVISION_CAUSES, Base, one_of


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
    cloned_from: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """Campaign and number of the configuration that it began with; none of one that was written anew."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        one_of("state", CAMPAIGN_STATES, "state"),
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
    budget_devices: Mapped[int | None]
    """Most devices on films that may be made."""
    budget_hours: Mapped[float | None]
    """Hours of robots' work after which no further film is begun."""
    lease_ttl_s: Mapped[int]
    """Seconds from a claim or renewal until a film that was not started goes back to the queue."""
    lease_overdue_s: Mapped[int]
    """Seconds from the start or renewal until a film in the making is overdue."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("queue_depth BETWEEN 1 AND 20", name="queue_depth"),
        CheckConstraint("budget_films >= 0", name="budget_films"),
        CheckConstraint("budget_devices >= 0", name="budget_devices"),
        CheckConstraint("budget_hours >= 0", name="budget_hours"),
        CheckConstraint("lease_ttl_s > 0 AND lease_overdue_s > 0", name="lease"),
    )


class RevisionRow(Base):
    """One change of a campaign's dataset, numbered in the order of commits. Number 0 is the empty dataset."""

    __tablename__ = "revision"

    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    cause: Mapped[str]
    cause_id: Mapped[str | None]
    """Id of the batch, film or retraction that caused it."""
    snapshot_hash: Mapped[str | None]
    """Hash of the active readings; computed when it is first asked for, then kept."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (one_of("cause", REVISION_CAUSES, "cause"), CheckConstraint("number >= 0", name="number"))


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
