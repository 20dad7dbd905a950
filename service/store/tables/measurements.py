"""Measurements: who measured, what was sent together, and every reading."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from service.store.tables.base import READING_STATES, Base, one_of


class InstrumentRow(Base):
    """An instrument of a campaign, registered by a person or when it first reports."""

    __tablename__ = "instrument"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    name: Mapped[str]
    kind: Mapped[str | None]
    """What it is, in the lab's words; none if nobody has said so."""
    owner: Mapped[str | None]
    notes: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (UniqueConstraint("campaign_id", "name"),)


class MeasurementBatchRow(Base):
    """What an instrument sent at once."""

    __tablename__ = "measurement_batch"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    instrument_id: Mapped[str] = mapped_column(ForeignKey("instrument.id"))
    revision: Mapped[int]
    accepted: Mapped[int]
    duplicates: Mapped[int]
    refused: Mapped[int] = mapped_column(server_default=text("0"))
    """Rows that were left out because something was wrong with them."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index("ix_measurement_batch_campaign_id_id", "campaign_id", "id"),)


class MeasurementRow(Base):
    """One reading of one property, at one device of a film or of a calibration sample. Append-only."""

    __tablename__ = "measurement"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    batch_id: Mapped[str] = mapped_column(ForeignKey("measurement_batch.id"))
    instrument_id: Mapped[str] = mapped_column(ForeignKey("instrument.id"))
    film_id: Mapped[str | None] = mapped_column(ForeignKey("film.id"))
    """None, like the device, where a calibration sample was read."""
    device: Mapped[int | None]
    sample_id: Mapped[str | None] = mapped_column(ForeignKey("sample.id"))
    calibration_id: Mapped[str | None] = mapped_column(ForeignKey("calibration.id"))
    """Calibration that was in force at `measured_at` when the reading arrived, or that it named."""
    uid: Mapped[str]
    """Permanent name given by the instrument."""
    property: Mapped[str]
    unit: Mapped[str]
    value: Mapped[float | None]
    status: Mapped[str]
    std_uncertainty: Mapped[float | None]
    replicates: Mapped[int | None]
    """Raw readings behind the value, from which the uncertainty was estimated; none if it is known otherwise."""
    raw_unit: Mapped[str | None]
    """Unit in which it was delivered; none if in the campaign's own, like the two below."""
    raw_value: Mapped[float | None]
    raw_std_uncertainty: Mapped[float | None]
    measured_at: Mapped[datetime]
    revision: Mapped[int]
    """Revision of the dataset from which it counts."""
    row_hash: Mapped[str]
    """SHA-256 of its content: tells a repeated row from a contradicting one, and makes the snapshot's hash."""

    __table_args__ = (
        one_of("status", READING_STATES, "status"),
        CheckConstraint("(status = 'dead') = (value IS NULL)", name="value"),
        CheckConstraint("std_uncertainty > 0", name="std_uncertainty"),
        CheckConstraint("replicates IS NULL OR replicates >= 2 AND std_uncertainty IS NOT NULL", name="replicates"),
        CheckConstraint("device >= 0", name="device"),
        CheckConstraint("raw_unit IS NOT NULL OR raw_value IS NULL AND raw_std_uncertainty IS NULL", name="raw"),
        CheckConstraint("(film_id IS NULL) = (device IS NULL)", name="film"),
        CheckConstraint("(film_id IS NULL) <> (sample_id IS NULL)", name="sample"),
        UniqueConstraint("campaign_id", "instrument_id", "uid"),
        Index("ix_measurement_campaign_id_revision", "campaign_id", "revision"),
        Index("ix_measurement_film_id_device", "film_id", "device"),
        Index("ix_measurement_sample_id", "sample_id", postgresql_where=text("sample_id IS NOT NULL")),
    )
