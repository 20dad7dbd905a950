"""What an operator asks of the database itself: what it promises, how its clock goes, whether it has room."""

import time
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from service.errors import Unavailable
from service.store import server
from service.store.session import Sessions


@dataclass(frozen=True)
class Facts:
    """The server as it stands now."""

    synchronous_commit: str
    safe_writes: bool
    """Whether what is written survives a loss of power."""
    clock_ahead_s: float
    """Of the database, before this machine."""
    connections_used: int
    connections_most: int


def facts(sessions: Sessions) -> Facts | None:
    """Read them now; none if the database does not answer."""
    try:
        with sessions() as session:
            promised = server.promises(session)
            asked = time.time()
            said = server.clock(session)
            answered = time.time()
            used, most = server.connections(session)
    except (SQLAlchemyError, Unavailable):
        return None
    return Facts(
        synchronous_commit=promised["synchronous_commit"],
        safe_writes=promised["fsync"] == promised["full_page_writes"] == "on",
        clock_ahead_s=said - (asked + answered) / 2,
        connections_used=used,
        connections_most=most,
    )
