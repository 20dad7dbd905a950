"""Events of a campaign, numbered in the order of commits: who reads on from the last number misses none."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Text, bindparam, cast, column, func, insert, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.dml import ReturningInsert

from service.store.session import lock_campaign
from service.store.statements import Statement
from service.store.tables import EventRow, table_of


def append(session: Session, campaign_id: str, kind: str, data: dict[str, Any]) -> int:
    """Write one event in this transaction, under the campaign's lock.

    Args:
        session: The transaction of the change that the event tells of.
        campaign_id: The campaign it belongs to.
        kind: What happened, e.g. `batch.recorded`.
        data: JSON with ids and small numbers; never a reading or a secret.

    Returns:
        Its number, larger than that of every event of the campaign that was committed before.
    """
    lock_campaign(session, campaign_id)
    seq: int = _APPEND.one(session, {"campaign_id": campaign_id, "type": kind, "data": data})[0]
    return seq


def _appending() -> ReturningInsert[int]:
    event = table_of(EventRow)
    following = select(func.coalesce(func.max(event.c.seq), 0) + 1).where(
        event.c.campaign_id == bindparam("campaign_id")
    )
    given: dict[str, Any] = {name: bindparam(name) for name in ("campaign_id", "type", "data")}
    return insert(event).values({"seq": following.scalar_subquery(), **given}).returning(event.c.seq)


_APPEND = Statement(_appending())


def page(session: Session, campaign_id: str, after: int, limit: int) -> Sequence[EventRow]:
    """The first `limit` events with a number above `after`, in order."""
    query = (
        select(EventRow)
        .where(EventRow.campaign_id == campaign_id, EventRow.seq > after)
        .order_by(EventRow.seq)
        .limit(limit)
    )
    return session.scalars(query).all()


def newest(session: Session, campaign_id: str) -> int:
    """Number of the newest event; 0 if there is none."""
    query = select(func.coalesce(func.max(EventRow.seq), 0)).where(EventRow.campaign_id == campaign_id)
    return session.execute(query).scalar_one()


def since(session: Session, seen: Mapping[str, int], limit: int) -> Sequence[EventRow]:
    """The first `limit` events of each campaign with numbers above the one that `seen` gives, in order."""
    watched = (
        func.unnest(cast(list(seen), ARRAY(Text)), cast(list(seen.values()), ARRAY(BigInteger)))
        .table_valued(column("campaign_id", Text), column("seq", BigInteger))
        .render_derived(name="watched")
    )
    newer = (
        select(EventRow)
        .where(EventRow.campaign_id == watched.c.campaign_id, EventRow.seq > watched.c.seq)
        .order_by(EventRow.seq)
        .limit(limit)
        .lateral("newer")
    )
    event = aliased(EventRow, newer)
    query = select(event).select_from(watched).join(newer, true()).order_by(event.campaign_id, event.seq)
    return session.scalars(query).all()
