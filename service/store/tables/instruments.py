"""What vouches for instruments: their calibrations, and the samples that they read again and again."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from service.store.tables.base import Base


class CalibrationRow(Base):
    """A calibration of an instrument, in force from `valid_from` until it ends or the next one begins."""

    __tablename__ = "calibration"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    instrument_id: Mapped[str] = mapped_column(ForeignKey("instrument.id"))
    property: Mapped[str | None]
    """The property that it is of; none if it is of everything that the instrument reads."""
    method: Mapped[str]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    """The first instant at which it is no longer valid; none if it lasts until the next one begins."""
    notes: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("valid_until > valid_from", name="window"),
        Index("ix_calibration_instrument_id_id", "instrument_id", "id"),
    )


class SampleRow(Base):
    """A calibration sample: no film of the campaign, but read again and again to see the instrument drift."""

    __tablename__ = "sample"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    name: Mapped[str]
    property: Mapped[str]
    unit: Mapped[str]
    """The campaign's unit of the property."""
    assigned_value: Mapped[float | None]
    """What it is known or agreed to have; none if it only has to stay what it is."""
    std_uncertainty: Mapped[float | None]
    """Of the assigned value."""
    notes: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("std_uncertainty > 0", name="std_uncertainty"),
        UniqueConstraint("campaign_id", "name"),
        Index("ix_sample_campaign_id_id", "campaign_id", "id"),
    )
