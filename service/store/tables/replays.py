"""Replays: proposals computed again from what was kept, and what came of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from service.store.tables.base import REPLAY_STATES, VERDICTS, Base, one_of


class ReplayRow(Base):
    """A wish to compute a proposal again, its own job: a lease by the database's clock, a fence that only rises."""

    __tablename__ = "replay"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"))
    proposal_id: Mapped[str] = mapped_column(ForeignKey("proposal.id"))
    state: Mapped[str] = mapped_column(server_default="pending")
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    """Also the number of attempts: each takes the lease anew."""
    lease_until: Mapped[datetime | None]
    run_after: Mapped[datetime] = mapped_column(server_default=func.now())
    worker: Mapped[str | None]
    error: Mapped[str | None]
    verdict: Mapped[str | None]
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What was compared and what differs."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        one_of("state", REPLAY_STATES, "state"),
        one_of("verdict", VERDICTS, "verdict", nullable=True),
        Index("ix_replay_proposal_id_id", "proposal_id", "id"),
        Index("ix_replay_waiting", "id", postgresql_where=text("state IN ('pending', 'leased')")),
    )
