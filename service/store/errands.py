"""Queries on errands: what a worker does once no decision waits, each kind in a table of its own with its own lease."""

from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Interval, cast, func, literal, or_, select, update
from sqlalchemy.orm import Session

from service.store.campaigns import FRESH
from service.store.jobs import LEASE_S
from service.store.tables import GenerationRow, ReplayRow

Errand = TypeVar("Errand", GenerationRow, ReplayRow)

MAX_ATTEMPTS = 3
"""Attempts after which an errand is dead; its fence counts them."""


def lease(session: Session, kind: type[Errand], errand_id: str, worker: str) -> Errand | None:
    """Take an errand that is due; None if it is done, not due or in other hands."""
    values = {
        "state": "leased",
        "fence": kind.fence + 1,
        "lease_until": func.now() + timedelta(seconds=LEASE_S),
        "worker": worker,
    }
    change = update(kind).where(kind.id == errand_id, _due(kind)).values(values)
    return session.scalars(change.returning(kind), execution_options=FRESH).one_or_none()


def renew(session: Session, kind: type[Errand], errand_id: str, fence: int) -> bool:
    """Let a running errand's lease start anew; False if the fence no longer holds."""
    return _under(session, kind, errand_id, fence, {"lease_until": func.now() + timedelta(seconds=LEASE_S)})


def finish(session: Session, kind: type[Errand], errand_id: str, fence: int, values: dict[str, Any]) -> bool:
    """End a running errand with a state, and what came of it or an error; False if the fence no longer holds."""
    return _under(session, kind, errand_id, fence, values | {"lease_until": None, "finished_at": func.now()})


def put_back(session: Session, kind: type[Errand], errand_id: str, fence: int, error: str, *, delay_s: float) -> bool:
    """Let a running errand wait for another attempt; False if the fence no longer holds."""
    later = func.now() + cast(literal(timedelta(seconds=delay_s)), Interval)
    back = {"state": "pending", "run_after": later, "lease_until": None, "error": error}
    return _under(session, kind, errand_id, fence, back)


def due(session: Session, kind: type[Errand]) -> list[str]:
    """Errands that a worker could take now."""
    return list(session.scalars(select(kind.id).where(_due(kind)).order_by(kind.id)))


def _due(kind: type[Errand]) -> ColumnElement[bool]:
    """Waiting, or left behind by a worker that fell silent."""
    waits = (kind.state == "pending") & (kind.run_after <= func.now())
    silent = (kind.state == "leased") & (kind.lease_until < func.now())
    return or_(waits, silent)


def _under(session: Session, kind: type[Errand], errand_id: str, fence: int, values: dict[str, Any]) -> bool:
    here = (kind.id == errand_id) & (kind.fence == fence) & (kind.state == "leased")
    change = update(kind).where(here).values(values).returning(kind.id)
    return session.execute(change, execution_options=FRESH).one_or_none() is not None
