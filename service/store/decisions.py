"""The history of decisions: where the campaign stood at each of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from service.store.tables import DecisionRow


def store(session: Session, values: dict[str, Any]) -> None:
    """Append one line."""
    session.execute(insert(DecisionRow).values(values))


def inputs(session: Session, job_id: str) -> dict[str, Any] | None:
    """What a decision was computed from; none of one from before that was kept, or that was never published."""
    return session.execute(select(DecisionRow.inputs).where(DecisionRow.job_id == job_id)).scalar_one_or_none()


def amend(session: Session, job_id: str, values: dict[str, Any]) -> None:
    """Fill in what was not known when a line was written; what is None stays as it is."""
    known = {name: value for name, value in values.items() if value is not None}
    if known:
        session.execute(update(DecisionRow).where(DecisionRow.job_id == job_id).values(known))


def newest(session: Session, campaign_id: str, limit: int) -> Sequence[DecisionRow]:
    """The last `limit` lines of a campaign, oldest first."""
    query = (
        select(DecisionRow)
        .where(DecisionRow.campaign_id == campaign_id)
        .order_by(DecisionRow.revision.desc(), DecisionRow.created_at.desc(), DecisionRow.job_id.desc())
        .limit(limit)
    )
    return session.scalars(query).all()[::-1]
