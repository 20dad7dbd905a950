"""Keys, the campaigns that their holders are granted, and the sessions of browsers that were let in with them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, func, or_, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from service.store.campaigns import FRESH
from service.store.rows import after_id, current
from service.store.tables import CampaignRow, GrantRow, KeyRow, WebSessionRow, table_of

_UNUSED = timedelta(minutes=1)
"""How exactly it is known when a key was used last: a busy key must not write a row for every request."""


class Standing(NamedTuple):
    """What a request under a key is checked against."""

    id: str
    sha256: str
    holder: str
    name: str
    scopes: list[str]
    every_campaign: bool
    campaigns: list[str]
    valid: bool
    """Neither expired nor revoked, by the database's clock."""


def add(session: Session, values: Mapping[str, Any]) -> KeyRow:
    """Insert a key."""
    row = KeyRow(**values)
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def get(session: Session, key_id: str) -> KeyRow:
    """One key as it is now.

    Raises:
        NotFound: If there is none of this id.
    """
    return current(session, KeyRow, key_id, "key")


def page(session: Session, after: str | None, limit: int | None) -> Sequence[KeyRow]:
    """Keys with an id above `after`."""
    return session.scalars(after_id(select(KeyRow), KeyRow.id, after, limit)).all()


def standing(session: Session, key_id: str) -> Standing | None:
    """What a key is good for, in one question; none if there is no such key."""
    found = session.connection().execute(_STANDING, {"key_id": key_id}).one_or_none()
    return None if found is None else Standing(*found)


_VALID = KeyRow.revoked_at.is_(None) & or_(KeyRow.expires_at.is_(None), KeyRow.expires_at > func.now())
_GRANTED = (
    select(func.coalesce(func.array_agg(GrantRow.campaign_id), text("'{}'")))
    .where(GrantRow.holder == KeyRow.holder)
    .scalar_subquery()
)
_STANDING = select(
    KeyRow.id, KeyRow.sha256, KeyRow.holder, KeyRow.name, KeyRow.scopes, KeyRow.every_campaign, _GRANTED, _VALID
).where(KeyRow.id == bindparam("key_id"))


def replacement(session: Session, key_id: str) -> str | None:
    """Id of the newest valid key of the same holder, if it is another one."""
    holder = select(KeyRow.holder).where(KeyRow.id == key_id).scalar_subquery()
    newest = select(KeyRow.id).where(KeyRow.holder == holder, _VALID).order_by(KeyRow.created_at.desc()).limit(1)
    found = session.scalars(newest).one_or_none()
    return None if found == key_id else found


def note_use(session: Session, key_id: str) -> None:
    """Note that a key is in use, unless that was noted within the last minute."""
    session.connection().execute(_NOTE_USE, {"key_id": key_id})


_KEY = table_of(KeyRow)
_NOTE_USE = (
    _KEY.update()
    .where(
        _KEY.c.id == bindparam("key_id"),
        or_(_KEY.c.last_used_at.is_(None), _KEY.c.last_used_at < func.now() - _UNUSED),
    )
    .values(last_used_at=func.now())
)


def usable(session: Session, scope: str) -> bool:
    """Whether there is a key that is good for a scope now."""
    query = select(KeyRow.id).where(_VALID, KeyRow.scopes.contains([scope])).limit(1)
    return session.execute(query).one_or_none() is not None


def any_made(session: Session) -> bool:
    """Whether a key was ever made here."""
    return session.execute(select(KeyRow.id).limit(1)).one_or_none() is not None


def lock_making(session: Session) -> None:
    """Let one transaction at a time find out whether there is a key and make the first."""
    session.execute(text("select pg_advisory_xact_lock(hashtextextended('filmloop.keys', 0))"))


def expire(session: Session, key_id: str, within: timedelta) -> KeyRow:
    """Let a key end after a while, or when it would have ended anyway."""
    ends = func.least(KeyRow.expires_at, func.now() + within)  # of a null and a time the time is the least
    change = update(KeyRow).where(KeyRow.id == key_id).values(expires_at=ends).returning(KeyRow)
    return session.scalars(change, execution_options=FRESH).one()


def revoke(session: Session, key_id: str) -> KeyRow | None:
    """Let a key end now; none if it was revoked before."""
    revoked = KeyRow.revoked_at.is_(None) & (KeyRow.id == key_id)
    change = update(KeyRow).where(revoked).values(revoked_at=func.now()).returning(KeyRow)
    return session.scalars(change, execution_options=FRESH).one_or_none()


def grant(session: Session, holder: str, campaign_ids: Collection[str]) -> None:
    """Let a holder see campaigns; those that it sees already are no harm."""
    if campaign_ids:
        rows = [{"holder": holder, "campaign_id": campaign_id} for campaign_id in campaign_ids]
        session.execute(postgresql.insert(GrantRow).values(rows).on_conflict_do_nothing())


def granted(session: Session, holders: Collection[str]) -> dict[str, list[str]]:
    """Campaigns that each holder was granted, in the order of their ids."""
    query = select(GrantRow.holder, GrantRow.campaign_id).where(GrantRow.holder.in_(holders))
    found: dict[str, list[str]] = {holder: [] for holder in holders}
    for holder, campaign_id in session.execute(query.order_by(GrantRow.campaign_id)):
        found[holder].append(campaign_id)
    return found


def missing(session: Session, campaign_ids: Collection[str]) -> list[str]:
    """Those of the ids that are of no campaign."""
    known = set(session.scalars(select(CampaignRow.id).where(CampaignRow.id.in_(campaign_ids))))
    return sorted(set(campaign_ids) - known)


def open_session(session: Session, sha256: str, key_id: str, lasts: timedelta) -> None:
    """Let a browser in with the hash of its cookie."""
    values = {"sha256": sha256, "key_id": key_id, "expires_at": func.now() + lasts}
    session.execute(table_of(WebSessionRow).insert().values(values))


def key_of_session(session: Session, sha256: str) -> str | None:
    """The key that a browser was let in with, if its session lasts."""
    return session.connection().execute(_KEY_OF_SESSION, {"sha256": sha256}).scalar_one_or_none()


_KEY_OF_SESSION = select(WebSessionRow.key_id).where(
    WebSessionRow.sha256 == bindparam("sha256"), WebSessionRow.expires_at > func.now()
)


def close_session(session: Session, sha256: str) -> bool:
    """Forget a browser's session; False if there is none."""
    ended = delete(WebSessionRow).where(WebSessionRow.sha256 == sha256).returning(WebSessionRow.key_id)
    return session.execute(ended).one_or_none() is not None


def forget_sessions(session: Session) -> None:
    """Drop sessions that are over."""
    session.execute(delete(WebSessionRow).where(WebSessionRow.expires_at < func.now()))
