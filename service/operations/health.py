"""Whether this process can do its work: the database and its schema decide, the broker only degrades."""

from dataclasses import dataclass
from typing import Literal

import structlog
from sqlalchemy.exc import SQLAlchemyError

from service.errors import SchemaMismatch, Unavailable
from service.store import schema
from service.store.bell import broker_answers
from service.store.session import Sessions

log = structlog.get_logger("filmloop.health")


def needed_schema() -> str:
    """Revision of the database's schema that this code needs."""
    return schema.head()


@dataclass(frozen=True)
class Readiness:
    """What was found, part by part, in words."""

    status: Literal["ready", "degraded", "unavailable"]
    database: str
    schema: str
    broker: str


def readiness(sessions: Sessions, broker_url: str | None) -> Readiness:
    """Ask the database and the broker now; never raises.

    Returns:
        `unavailable` if the database cannot be reached or has another schema than this code; `degraded` if only the
        broker does not answer, for then decisions still come, by the sweep.
    """
    database, found = _look(sessions)
    broker = "ok" if broker_answers(broker_url) else ("not set" if broker_url is None else "unreachable")
    if database != "ok" or found != "ok":
        return Readiness("unavailable", database, found, broker)
    return Readiness("ready" if broker == "ok" else "degraded", database, found, broker)


def _look(sessions: Sessions) -> tuple[str, str]:
    """State of the database and of its schema."""
    try:
        with sessions() as session:
            version = schema.current(session.connection())
    except SchemaMismatch as error:
        return "ok", str(error).removeprefix("the database's schema ")
    except Unavailable as error:
        return str(error), "unknown"
    except SQLAlchemyError as error:
        log.warning("database unreachable", error=type(error).__name__, cause=str(error.__cause__)[:500])
        return "unreachable", "unknown"
    return "ok", schema.mismatch(version) or "ok"
