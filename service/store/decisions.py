"""The history of decisions: where the campaign stood at each of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from service.store.tables import DecisionRow


def store(session: Session, values: dict[str, Any]) -> None:
    """Append one line."""
    session.execute(insert(DecisionRow).values(values))


def newest(session: Session, campaign_id: str, limit: int) -> Sequence[DecisionRow]:
    """The last `limit` lines of a campaign, oldest first."""
    query = (
        select(DecisionRow)
        .where(DecisionRow.campaign_id == campaign_id)
        .order_by(DecisionRow.revision.desc(), DecisionRow.created_at.desc(), DecisionRow.job_id.desc())
        .limit(limit)
    )
    return session.scalars(query).all()[::-1]
