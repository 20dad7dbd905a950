"""Queries on generations: each is a job of its own, as replays are, so that no decision waits for one."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Interval, cast, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from service.store.campaigns import FRESH
from service.store.ids import new_id
from service.store.jobs import LEASE_S
from service.store.rows import after_id, current
from service.store.tables import GenerationRow

MAX_ATTEMPTS = 3


def store(session: Session, campaign_id: str, asked: dict[str, Any]) -> str:
    """Insert a wish; return its id."""
    generation_id = new_id("gen")
    session.execute(insert(GenerationRow).values(id=generation_id, campaign_id=campaign_id, asked=asked))
    return generation_id


def get(session: Session, generation_id: str) -> GenerationRow:
    """One generation as it is now.

    Raises:
        NotFound: If there is none of this id.
    """
    return current(session, GenerationRow, generation_id, "generation")


def page(session: Session, campaign_id: str, after: str | None, limit: int) -> Sequence[GenerationRow]:
    """Generations of a campaign with an id above `after`."""
    query = select(GenerationRow).where(GenerationRow.campaign_id == campaign_id)
    return session.scalars(after_id(query, GenerationRow.id, after, limit)).all()


def lease(session: Session, generation_id: str, worker: str) -> GenerationRow | None:
    """Take a generation that is due; None if it is done, not due or in other hands."""
    values = {
        "state": "leased",
        "fence": GenerationRow.fence + 1,
        "lease_until": func.now() + timedelta(seconds=LEASE_S),
        "worker": worker,
    }
    change = update(GenerationRow).where(GenerationRow.id == generation_id, _due()).values(values)
    return session.scalars(change.returning(GenerationRow), execution_options=FRESH).one_or_none()


def renew(session: Session, generation_id: str, fence: int) -> bool:
    """Let a running generation's lease start anew; False if the fence no longer holds."""
    return _under(session, generation_id, fence, {"lease_until": func.now() + timedelta(seconds=LEASE_S)})


def finish(session: Session, generation_id: str, fence: int, values: dict[str, Any]) -> bool:
    """End a running generation with a state, and an answer or an error; False if the fence no longer holds."""
    return _under(session, generation_id, fence, values | {"lease_until": None, "finished_at": func.now()})


def put_back(session: Session, generation_id: str, fence: int, error: str, delay_s: float) -> bool:
    """Let a running generation wait for another attempt; False if the fence no longer holds."""
    later = func.now() + cast(literal(timedelta(seconds=delay_s)), Interval)
    back = {"state": "pending", "run_after": later, "lease_until": None, "error": error}
    return _under(session, generation_id, fence, back)


def due(session: Session) -> list[str]:
    """Generations that a worker could take now."""
    return list(session.scalars(select(GenerationRow.id).where(_due()).order_by(GenerationRow.id)))


def _due() -> ColumnElement[bool]:
    """Waiting, or left behind by a worker that fell silent."""
    waits = (GenerationRow.state == "pending") & (GenerationRow.run_after <= func.now())
    silent = (GenerationRow.state == "leased") & (GenerationRow.lease_until < func.now())
    return or_(waits, silent)


def _under(session: Session, generation_id: str, fence: int, values: dict[str, Any]) -> bool:
    here = (GenerationRow.id == generation_id) & (GenerationRow.fence == fence) & (GenerationRow.state == "leased")
    change = update(GenerationRow).where(here).values(values).returning(GenerationRow.id)
    return session.execute(change, execution_options=FRESH).one_or_none() is not None
