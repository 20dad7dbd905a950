"""Queries on replays: each is an errand of its own, so that no decision waits for one."""

from collections.abc import Sequence

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from service.store.ids import new_id
from service.store.rows import after_id, current
from service.store.tables import ReplayRow


def store(session: Session, campaign_id: str, proposal_id: str) -> str:
    """Insert a wish; return its id."""
    replay_id = new_id("rpl")
    session.execute(insert(ReplayRow).values(id=replay_id, campaign_id=campaign_id, proposal_id=proposal_id))
    return replay_id


def get(session: Session, replay_id: str) -> ReplayRow:
    """One replay as it is now.

    Raises:
        NotFound: If there is none of this id.
    """
    return current(session, ReplayRow, replay_id, "replay")


def page(session: Session, proposal_id: str, after: str | None, limit: int) -> Sequence[ReplayRow]:
    """Replays of a proposal with an id above `after`."""
    query = select(ReplayRow).where(ReplayRow.proposal_id == proposal_id)
    return session.scalars(after_id(query, ReplayRow.id, after, limit)).all()
