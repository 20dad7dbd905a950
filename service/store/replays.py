"""Queries on replays: each is a job of its own, so that no decision ever waits for the one of another kind."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Interval, cast, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from service.store.campaigns import FRESH
from service.store.ids import new_id
from service.store.jobs import LEASE_S
from service.store.rows import after_id, current
from service.store.tables import ReplayRow

MAX_ATTEMPTS = 3


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


def lease(session: Session, replay_id: str, worker: str) -> ReplayRow | None:
    """Take a replay that is due; None if it is done, not due or in other hands."""
    change = (
        update(ReplayRow)
        .where(ReplayRow.id == replay_id, _due())
        .values(
            state="leased",
            fence=ReplayRow.fence + 1,
            lease_until=func.now() + timedelta(seconds=LEASE_S),
            worker=worker,
        )
        .returning(ReplayRow)
    )
    return session.scalars(change, execution_options=FRESH).one_or_none()


def renew(session: Session, replay_id: str, fence: int) -> bool:
    """Let a running replay's lease start anew; False if the fence no longer holds."""
    return _under(session, replay_id, fence, {"lease_until": func.now() + timedelta(seconds=LEASE_S)})


def finish(session: Session, replay_id: str, fence: int, values: dict[str, Any]) -> bool:
    """End a running replay with state, and verdict and report or an error; False if the fence no longer holds."""
    return _under(session, replay_id, fence, values | {"lease_until": None, "finished_at": func.now()})


def put_back(session: Session, replay_id: str, fence: int, error: str, delay_s: float) -> bool:
    """Let a running replay wait for another attempt; False if the fence no longer holds."""
    later = func.now() + cast(literal(timedelta(seconds=delay_s)), Interval)
    back = {"state": "pending", "run_after": later, "lease_until": None, "error": error}
    return _under(session, replay_id, fence, back)


def due(session: Session) -> list[str]:
    """Replays that a worker could take now."""
    return list(session.scalars(select(ReplayRow.id).where(_due()).order_by(ReplayRow.id)))


def _due() -> ColumnElement[bool]:
    """Waiting, or left behind by a worker that fell silent."""
    waits = (ReplayRow.state == "pending") & (ReplayRow.run_after <= func.now())
    silent = (ReplayRow.state == "leased") & (ReplayRow.lease_until < func.now())
    return or_(waits, silent)


def _under(session: Session, replay_id: str, fence: int, values: dict[str, Any]) -> bool:
    change = (
        update(ReplayRow)
        .where(ReplayRow.id == replay_id, ReplayRow.fence == fence, ReplayRow.state == "leased")
        .values(values)
        .returning(ReplayRow.id)
    )
    return session.execute(change, execution_options=FRESH).one_or_none() is not None
