"""Who changed what: rows that are only ever added."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.store.tables import AuditRow, table_of


class Change(NamedTuple):
    """Who made a change by a call of the API."""

    key_id: str
    operation: str
    campaign_id: str | None
    """None if it is the subject's."""
    noun: str | None
    """Of the subject."""
    subject: str | None


def add(session: Session, values: Mapping[str, Any]) -> None:
    """Note a change in its transaction."""
    session.connection().execute(_ADD, [{**_NOTHING, **values}])


_ADD = table_of(AuditRow).insert()
_NOTHING = {"key_id": None, "campaign_id": None, "subject": None, "data": None}


def page(
    session: Session, after: int, limit: int, *, key_id: str | None = None, campaign_id: str | None = None
) -> Sequence[AuditRow]:
    """The first `limit` entries with a number above `after`, in order; all, or those of a key or a campaign."""
    query = select(AuditRow).where(AuditRow.number > after)
    if key_id is not None:
        query = query.where(AuditRow.key_id == key_id)
    if campaign_id is not None:
        query = query.where(AuditRow.campaign_id == campaign_id)
    return session.scalars(query.order_by(AuditRow.number).limit(limit)).all()
