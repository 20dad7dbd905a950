"""Prior data: readings from elsewhere that a campaign learns from, each source with an offset of its own."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from service.store.tables.base import PRIOR_KINDS, PRIOR_READING_STATES, Base, one_of


class PriorDataRow(Base):
    """Readings from another campaign or from a file, copied once and never changed."""

    __tablename__ = "prior_data"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    name: Mapped[str]
    """What people call it."""
    kind: Mapped[str]
    source: Mapped[dict[str, Any]]
    """Where it comes from: campaign, revision and snapshot hash, or form and hash of the file; and how it was read."""
    rows: Mapped[int]
    left_out: Mapped[dict[str, Any]]
    """Numbers of rows that were not taken, by reason."""
    content_hash: Mapped[str]
    """SHA-256 over its rows."""
    revision: Mapped[int]
    """Revision of the dataset from which it counts, but while it is withdrawn."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        one_of("kind", PRIOR_KINDS, "kind"),
        CheckConstraint("rows >= 1", name="rows"),
        Index("ix_prior_data_campaign_id_id", "campaign_id", "id"),
    )


class PriorReadingRow(Base):
    """One reading of one property at one composition, from elsewhere. Append-only."""

    __tablename__ = "prior_reading"

    prior_data_id: Mapped[str] = mapped_column(ForeignKey("prior_data.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """Of the row in its source, from 0."""
    property: Mapped[str]
    unit: Mapped[str]
    """The campaign's, like the value and the uncertainty."""
    value: Mapped[float]
    status: Mapped[str]
    std_uncertainty: Mapped[float | None]
    replicates: Mapped[int | None]
    raw_property: Mapped[str | None]
    """Its name there, if it is another one."""
    raw_unit: Mapped[str | None]
    """Unit in which it was delivered; none if in the campaign's own, like the two below."""
    raw_value: Mapped[float | None]
    raw_std_uncertainty: Mapped[float | None]
    composition: Mapped[dict[str, float]]
    process: Mapped[dict[str, Any]]
    film: Mapped[str | None]
    """Name there of what shares an offset; none if not known: then all such rows of the source share one."""
    position: Mapped[float | None]
    """Along that film, 0 to 1."""
    row_hash: Mapped[str]

    __table_args__ = (
        one_of("status", PRIOR_READING_STATES, "status"),
        CheckConstraint("number >= 0", name="number"),
        CheckConstraint("std_uncertainty > 0", name="std_uncertainty"),
        CheckConstraint("replicates IS NULL OR replicates >= 2 AND std_uncertainty IS NOT NULL", name="replicates"),
        CheckConstraint("raw_unit IS NOT NULL OR raw_value IS NULL AND raw_std_uncertainty IS NULL", name="raw"),
        CheckConstraint("position BETWEEN 0 AND 1", name="position"),
    )


class PriorWithdrawalRow(Base):
    """Why prior data do not count from `revision` on, until `ended_revision` if they were reinstated."""

    __tablename__ = "prior_withdrawal"

    id: Mapped[str] = mapped_column(primary_key=True)
    prior_data_id: Mapped[str] = mapped_column(ForeignKey("prior_data.id"))
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    reason: Mapped[str]
    revision: Mapped[int]
    ended_revision: Mapped[int | None]
    end_reason: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("ended_revision > revision", name="ended_revision"),
        CheckConstraint("(ended_revision IS NULL) = (end_reason IS NULL)", name="end_reason"),
        Index("ix_prior_withdrawal_campaign_id", "campaign_id"),
        Index(
            "ix_prior_withdrawal_standing",
            "prior_data_id",
            unique=True,
            postgresql_where=text("ended_revision IS NULL"),
        ),
    )
