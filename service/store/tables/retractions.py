"""Retractions: readings that no longer count, from which revision on and until which. Nothing is ever deleted."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, false, func
from sqlalchemy.orm import Mapped, mapped_column

from service.store.tables.base import Base


class RetractionRow(Base):
    """Why some readings do not count from `revision` on, until `reversed_revision` if it was reversed.

    A reading counts at a revision if no retraction that is in force there covers it. A reversal is final: who wants to
    retract again writes another row, so every past revision reads the same for ever.
    """

    __tablename__ = "retraction"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    what: Mapped[dict[str, Any]]
    """What was retracted, as it was asked: ids, a film, an instrument and a window, or a calibration."""
    reason: Mapped[str]
    also_later: Mapped[bool] = mapped_column(server_default=false())
    """Whether readings that arrive later and that `what` describes are covered, too."""
    revision: Mapped[int]
    """Revision of the dataset from which it is in force."""
    reversed_revision: Mapped[int | None]
    """Revision of the dataset from which it is no longer in force."""
    reversal_reason: Mapped[str | None]
    reversed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("reversed_revision > revision", name="reversed_revision"),
        CheckConstraint("(reversed_revision IS NULL) = (reversal_reason IS NULL)", name="reversal"),
        Index("ix_retraction_campaign_id_id", "campaign_id", "id"),
    )


class RetractedReadingRow(Base):
    """One reading that a retraction covers. Append-only.

    Without foreign keys: the rows are written by a query on the readings themselves, in the transaction that writes the
    retraction, neither is ever deleted, and to look each of a million up again doubles the time.
    """

    __tablename__ = "retracted_reading"

    retraction_id: Mapped[str] = mapped_column(primary_key=True)
    measurement_id: Mapped[str] = mapped_column(primary_key=True)

    __table_args__ = (Index(None, "measurement_id"),)


class RetractedCompositionRow(Base):
    """One measured composition of a device that a retraction covers. Append-only."""

    __tablename__ = "retracted_composition"

    retraction_id: Mapped[str] = mapped_column(ForeignKey("retraction.id"), primary_key=True)
    composition_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("composition_reading.id"), primary_key=True)

    __table_args__ = (Index(None, "composition_id"),)
