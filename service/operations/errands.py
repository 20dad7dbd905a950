"""Errands: what a worker does once no decision waits (replays, generations): taken, renewed, given back."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.orm import Session

from service.errors import LeaseLost
from service.store import errands
from service.store.errands import Errand
from service.store.session import Sessions

Input = TypeVar("Input")

RETRY_S = 10.0
"""Seconds before another attempt."""


def due(sessions: Sessions, kind: type[Errand]) -> list[str]:
    """Errands to ring for."""
    with sessions() as session:
        return errands.due(session, kind)


def claim(
    sessions: Sessions, kind: type[Errand], errand_id: str, worker: str, read: Callable[[Session, Errand], Input]
) -> Input | None:
    """Take an errand and `read` what it needs; None if it is done, not due or in other hands."""
    with sessions.begin() as session:
        taken = errands.lease(session, kind, errand_id, worker)
        if taken is not None and taken.fence > errands.MAX_ATTEMPTS:
            silent = {"state": "dead", "error": taken.error or "its workers fell silent"}
            errands.finish(session, kind, errand_id, taken.fence, silent)
            return None
    if taken is None:
        return None
    with sessions() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        return read(session, taken)


def renew(sessions: Sessions, kind: type[Errand], errand_id: str, fence: int) -> None:
    """Say that the work goes on.

    Raises:
        LeaseLost: If the fence no longer holds.
    """
    with sessions.begin() as session:
        if not errands.renew(session, kind, errand_id, fence):
            raise LeaseLost(f"{kind.__tablename__} {errand_id} is no longer ours under fence {fence}")


def fail(sessions: Sessions, kind: type[Errand], errand_id: str, fence: int, error: str, *, retry: bool) -> bool:
    """Give an errand back for another attempt; after the last, or without `retry`, it is dead."""
    with sessions.begin() as session:
        if retry and fence < errands.MAX_ATTEMPTS:
            return errands.put_back(session, kind, errand_id, fence, error, delay_s=RETRY_S)
        return errands.finish(session, kind, errand_id, fence, {"state": "dead", "error": error})
