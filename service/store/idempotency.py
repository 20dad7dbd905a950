"""Answers kept under their Idempotency-Key, and who made the change that they tell of."""

import functools
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Text, bindparam, delete, func, insert, select, text
from sqlalchemy.orm import Session

from service.store.audit import Change
from service.store.owners import IN_CAMPAIGNS, campaign_of_subject
from service.store.statements import Statement
from service.store.tables import AuditRow, IdempotencyRow, table_of


def try_lock(session: Session, scope: str, key: str) -> bool:
    """Take the key until this transaction ends; False if another transaction has it right now."""
    return bool(_TRY_LOCK.one(session, {"scope": scope, "key": key})[0])


_TRY_LOCK = Statement(
    text("select pg_try_advisory_xact_lock(hashtextextended('filmloop.key.' || :scope || ' ' || :key, 0))")
)


class Kept(NamedTuple):
    """An answer that was given."""

    request_hash: str
    status: int
    body: dict[str, Any]


def get(session: Session, scope: str, key: str) -> Kept | None:
    """The kept answer, if there is one."""
    found = _KEPT.first(session, {"scope": scope, "key": key})
    return None if found is None else Kept(*found)


_KEPT = Statement(
    select(IdempotencyRow.request_hash, IdempotencyRow.status, IdempotencyRow.body).where(
        IdempotencyRow.scope == bindparam("scope"), IdempotencyRow.key == bindparam("key")
    )
)


def keep(
    session: Session,
    scope: str,
    key: str,
    *,
    request_hash: str,
    status: int,
    body: dict[str, Any],
    change: Change | None = None,
) -> None:
    """Keep an answer in the transaction of its effect; in the same statement note who made the change."""
    values = {"scope": scope, "key": key, "request_hash": request_hash, "status": status, "body": body}
    if change is None:
        _KEEP.run(session, values)
        return
    noted = {"by_key": change.key_id, "operation": change.operation, "subject": change.subject}
    of_subject = change.campaign_id is None and change.noun in IN_CAMPAIGNS
    if not of_subject:
        noted["campaign"] = change.campaign_id
    _keep_noting(change.noun if of_subject else None).run(session, values | noted)


_KEPT_OF_IT = ("scope", "key", "request_hash", "status", "body")
_KEEP = Statement(insert(table_of(IdempotencyRow)), *_KEPT_OF_IT)


@functools.cache
def _keep_noting(noun: str | None) -> Statement:
    """The statement that keeps an answer and notes the change; if a noun is given, in the campaign of the subject."""
    campaign = bindparam("campaign", type_=Text) if noun is None else campaign_of_subject(noun)
    noted = {"key_id": bindparam("by_key", type_=Text), "campaign_id": campaign}
    noted |= {name: bindparam(name, type_=Text) for name in ("operation", "subject")}
    note = insert(table_of(AuditRow)).from_select(list(noted), select(*noted.values())).cte("noted")
    return Statement(insert(table_of(IdempotencyRow)).add_cte(note), *_KEPT_OF_IT)


def forget(session: Session, older_than: timedelta) -> None:
    """Drop answers that nobody will ask for again."""
    session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < func.now() - older_than))
