"""Queries on the database server itself."""

from sqlalchemy import text
from sqlalchemy.orm import Session

PROMISES = ("synchronous_commit", "fsync", "full_page_writes")


def promises(session: Session) -> dict[str, str]:
    """The settings on which it depends what survives a crash or a loss of power."""
    rows = session.execute(
        text("select name, setting from pg_settings where name = any(:names)"), {"names": list(PROMISES)}
    )
    return {row[0]: row[1] for row in rows}


def clock(session: Session) -> float:
    """Its time now, seconds since the epoch."""
    return float(session.execute(text("select extract(epoch from clock_timestamp())")).scalar_one())


def connections(session: Session) -> tuple[int, int]:
    """Connections of clients in use, and the most that there can be."""
    query = text(
        "select (select count(*) from pg_stat_activity where backend_type = 'client backend'),"
        " current_setting('max_connections')::int"
    )
    used, most = session.execute(query).one()
    return int(used), int(most)
