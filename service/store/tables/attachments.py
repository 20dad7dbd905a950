"""Attachments: spectra, diffraction patterns and the like, as arrays that are stored once and returned whole."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from service.store.tables.base import ARRAY_TYPES, Base, one_of


class ArrayRow(Base):
    """Numbers under the hash of their type and bytes: an axis that a thousand spectra share is here once."""

    __tablename__ = "array"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    dtype: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    """How many numbers."""
    data: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    """The bytes, shuffled and compressed: see `store/arrays.py`."""

    __table_args__ = (
        one_of("dtype", ARRAY_TYPES, "dtype"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
    )


class AttachmentRow(Base):
    """An array with its axes, measured at one device of a film or at the film as a whole. Never changed."""

    __tablename__ = "attachment"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    film_id: Mapped[str] = mapped_column(ForeignKey("film.id"))
    device: Mapped[int | None]
    """None if it is of the film as a whole."""
    instrument_id: Mapped[str] = mapped_column(ForeignKey("instrument.id"))
    kind: Mapped[str]
    label: Mapped[str]
    unit: Mapped[str]
    axes: Mapped[list[Any]]
    """Name, unit, number of points and array of each axis, slowest first."""
    array_sha256: Mapped[str] = mapped_column(ForeignKey("array.sha256"))
    measured_at: Mapped[datetime]
    content_hash: Mapped[str]
    """SHA-256 of all that was said: the same attachment sent again is the one that is here."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("device >= 0", name="device"),
        UniqueConstraint("campaign_id", "content_hash"),
        Index("ix_attachment_campaign_id_id", "campaign_id", "id"),
        Index("ix_attachment_film_id_id", "film_id", "id"),
    )
