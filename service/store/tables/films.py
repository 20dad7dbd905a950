"""Films: the leases under which robots make them, the films themselves, what they are made of."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from service.store.tables.base import COMPOSITION_KINDS, FILM_OUTCOMES, FILM_STATES, LEASE_STATES, Base, one_of


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
        one_of("state", LEASE_STATES, "state"),
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
        one_of("state", FILM_STATES, "state"),
        one_of("outcome", FILM_OUTCOMES, "outcome", nullable=True),
        Index("ix_film_campaign_id_id", "campaign_id", "id"),
    )


class CompositionReadingRow(Base):
    """What one device of a film is made of, and the revision it counts from.

    `nominal` is as proposed, `as_made` as the robot reported, `measured` as an instrument found.
    """

    __tablename__ = "composition_reading"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    film_id: Mapped[str] = mapped_column(ForeignKey("film.id"))
    device: Mapped[int]
    position: Mapped[float]
    kind: Mapped[str]
    revision: Mapped[int]
    """The snapshot at revision t uses the newest measured reading with a revision <= t, else the newest as-made one,
    else the nominal one."""
    composition: Mapped[dict[str, float]]
    """Atomic fraction by element; sums to 1."""
    std_uncertainty: Mapped[dict[str, float] | None] = mapped_column(JSONB(none_as_null=True))
    """Standard uncertainty of the fractions, by element, as far as it is known."""
    delivered: Mapped[dict[str, float] | None] = mapped_column(JSONB(none_as_null=True))
    """Fractions as the instrument gave them, before they were made to sum to 1."""
    instrument_id: Mapped[str | None] = mapped_column(ForeignKey("instrument.id"))
    batch_id: Mapped[str | None]
    """What the instrument sent together."""
    measured_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        one_of("kind", COMPOSITION_KINDS, "kind"),
        CheckConstraint("device >= 0", name="device"),
        CheckConstraint("(kind = 'measured') = (instrument_id IS NOT NULL)", name="instrument"),
        UniqueConstraint("film_id", "device", "kind", "revision"),
    )
