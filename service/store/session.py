"""Engine, sessions and the campaign's lock."""

import select

import psycopg
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session, sessionmaker

from service.store.statements import Statement

Sessions = sessionmaker[Session]
"""What operations and doors open their transactions from: `with sessions.begin() as session: ...`.

What every measurement and every claim runs is a `statements.Statement`, which goes straight to the driver.
"""

_OPTIONS = "-c timezone=UTC -c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"
"""Bounds on the server's side: no statement, lock or forgotten transaction can hold the others up for long."""
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}
"""A server whose machine or network vanished without a word is given up after 25 s; by default it would be hours."""
_CAMPAIGN = "hashtextextended('filmloop.campaign.' || :campaign, 0)"
"""The number of a campaign's lock."""


def make_engine(url: str, pool_size: int = 10) -> Engine:
    """Connect lazily to Postgres with bounded waits.

    Args:
        url: `postgresql+psycopg://...`.
        pool_size: Most connections held at once; a caller that gets none within 5 s fails instead of piling up.
    """
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        hide_parameters=True,  # an error's text goes into logs and events, and a parameter may be a lease's token
        connect_args={"connect_timeout": 5, "application_name": "filmloop", "options": _OPTIONS, **_KEEPALIVE},
    )
    event.listen(engine, "checkout", _refuse_if_hung_up)
    return engine


def _refuse_if_hung_up(connection: psycopg.Connection[object], *_: object) -> None:
    """Let a connection whose server has gone be replaced by a new one, without asking the server for each transaction.

    Between transactions a server says nothing, unless it ends the connection.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        raise DisconnectionError("the server has ended this connection")


def make_sessions(engine: Engine) -> Sessions:
    """A factory of sessions; objects stay readable after the commit."""
    return sessionmaker(engine, expire_on_commit=False)


_HELD = "campaign_lock"
"""Where a session notes the transaction that holds a campaign's lock, and which."""


_LOCK = Statement(text(f"select pg_advisory_xact_lock({_CAMPAIGN})"))


def lock_campaign(session: Session, campaign_id: str) -> None:
    """Serialise the rest of this transaction with every other holder of this campaign's lock, until it ends.

    Revisions and event numbers are drawn under it, so they are given in the order of commits. Taking it again in the
    same transaction costs nothing.

    Whoever changes anything of a campaign takes this lock first, before any row, so that no two transactions wait for
    each other in a circle. Claims too: FOR UPDATE SKIP LOCKED may keep locks on rows that it looked at and passed over
    because they had changed meanwhile, and a claim that takes this lock after them deadlocks with their robots.
    """
    held = (session.get_transaction(), campaign_id)
    if session.info.get(_HELD) != held:
        _LOCK.run(session, {"campaign": campaign_id})
        session.info[_HELD] = (session.get_transaction(), campaign_id)  # executing may have begun the transaction


def try_lock_campaign(session: Session, campaign_id: str) -> bool:
    """Take the campaign's lock unless somebody else has it; say whether it was taken."""
    query = text(f"select pg_try_advisory_xact_lock({_CAMPAIGN})")
    return bool(session.execute(query, {"campaign": campaign_id}).scalar_one())
