"""Generations: compositions that researchers asked for, and what was drawn and expected."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from service.store.tables.base import REPLAY_STATES, Base, one_of


class GenerationRow(Base):
    """A wish for compositions, its own job: a lease by the database's clock, a fence that only rises."""

    __tablename__ = "generation"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    asked: Mapped[dict[str, Any]]
    """`models.wanted.Wanted` as JSON."""
    state: Mapped[str] = mapped_column(server_default="pending")
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    """Also the number of attempts: each takes the lease anew."""
    lease_until: Mapped[datetime | None]
    run_after: Mapped[datetime] = mapped_column(server_default=func.now())
    worker: Mapped[str | None]
    error: Mapped[str | None]
    revision: Mapped[int | None]
    """Of the dataset that was looked at; none until it is answered."""
    model_version_id: Mapped[str | None] = mapped_column(ForeignKey("model_version.id"))
    """Model that predicts; none if there was none."""
    generator_version_id: Mapped[str | None] = mapped_column(ForeignKey("model_version.id"))
    """Generator that drew; none if none was trained, or none that may be used."""
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        one_of("state", REPLAY_STATES, "state"),
        Index("ix_generation_campaign_id_id", "campaign_id", "id"),
        Index("ix_generation_waiting", "id", postgresql_where=text("state IN ('pending', 'leased')")),
    )
