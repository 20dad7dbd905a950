"""Answers kept under their Idempotency-Key."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.orm import Session

from service.store.tables import IdempotencyRow


def try_lock(session: Session, scope: str, key: str) -> bool:
    """Take the key until this transaction ends; False if another transaction has it right now."""
    query = text("select pg_try_advisory_xact_lock(hashtextextended('filmloop.key.' || :scope || ' ' || :key, 0))")
    return bool(session.execute(query, {"scope": scope, "key": key}).scalar_one())


def get(session: Session, scope: str, key: str) -> IdempotencyRow | None:
    """The kept answer, if there is one."""
    here = (IdempotencyRow.scope == scope) & (IdempotencyRow.key == key)
    return session.scalars(select(IdempotencyRow).where(here)).one_or_none()


def keep(session: Session, scope: str, key: str, *, request_hash: str, status: int, body: dict[str, Any]) -> None:
    """Keep an answer in the transaction of its effect."""
    values = {"scope": scope, "key": key, "request_hash": request_hash, "status": status, "body": body}
    session.execute(insert(IdempotencyRow).values(values))


def forget(session: Session, older_than: timedelta) -> None:
    """Drop answers that nobody will ask for again."""
    session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < func.now() - older_than))
