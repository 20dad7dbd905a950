"""Answers kept under their Idempotency-Key."""

from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, text
from sqlalchemy.orm import Session

from service.store.tables import IdempotencyRow, table_of


def try_lock(session: Session, scope: str, key: str) -> bool:
    """Take the key until this transaction ends; False if another transaction has it right now."""
    return bool(session.connection().execute(_TRY_LOCK, {"scope": scope, "key": key}).scalar_one())


_TRY_LOCK = text("select pg_try_advisory_xact_lock(hashtextextended('filmloop.key.' || :scope || ' ' || :key, 0))")


class Kept(NamedTuple):
    """An answer that was given."""

    request_hash: str
    status: int
    body: dict[str, Any]


def get(session: Session, scope: str, key: str) -> Kept | None:
    """The kept answer, if there is one."""
    found = session.connection().execute(_KEPT, {"scope": scope, "key": key}).one_or_none()
    return None if found is None else Kept(*found)


_KEPT = select(IdempotencyRow.request_hash, IdempotencyRow.status, IdempotencyRow.body).where(
    IdempotencyRow.scope == bindparam("scope"), IdempotencyRow.key == bindparam("key")
)


def keep(session: Session, scope: str, key: str, *, request_hash: str, status: int, body: dict[str, Any]) -> None:
    """Keep an answer in the transaction of its effect."""
    values = {"scope": scope, "key": key, "request_hash": request_hash, "status": status, "body": body}
    session.connection().execute(_KEEP, values)


_KEEP = insert(table_of(IdempotencyRow))


def forget(session: Session, older_than: timedelta) -> None:
    """Drop answers that nobody will ask for again."""
    session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < func.now() - older_than))
