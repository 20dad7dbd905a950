"""Keys: who may do what to which campaigns, how long, and the browsers that were let in with one."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from sqlalchemy.orm import Session

from service.errors import Conflict, InvalidInput, NoKeys, Violation
from service.store import audit, keys
from service.store.tables import KeyRow

Scope = Literal[
    "measurements:write",
    "calibrations:write",
    "proposals:claim",
    "campaigns:read",
    "campaigns:write",
    "data:retract",
    "export",
    "metrics:read",
    "keys:admin",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
ADMIN: Scope = "keys:admin"
OF_ALL: frozenset[Scope] = frozenset({"keys:admin", "metrics:read"})
"""Scopes of those who look after the service as a whole."""
Role = Literal["instrument", "robot", "researcher", "monitor", "admin"]
ROLES: dict[Role, tuple[Scope, ...]] = {
    "instrument": ("measurements:write", "calibrations:write"),
    "robot": ("proposals:claim",),
    "researcher": ("campaigns:read", "campaigns:write", "data:retract", "export"),
    "monitor": ("metrics:read",),
    "admin": SCOPES,
}
"""What the usual holders need."""
SESSION_LASTS = timedelta(hours=12)
LONGEST_OVERLAP = timedelta(days=30)
SECRET = re.compile(r"flp_([0-9a-z]{8})_[A-Za-z0-9_-]{43}")
"""A key as its holder has it: its id, which is no secret, and 256 random bits."""
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True)
class Caller:
    """Who asks: a key that is good now."""

    key_id: str
    holder: str
    """The same after a rotation."""
    name: str
    scopes: frozenset[str]
    campaigns: frozenset[str] | None
    """Campaigns that it is granted; None if it is good for all."""

    def sees(self, campaign_id: str) -> bool:
        """Whether a campaign exists for this caller."""
        return self.campaigns is None or campaign_id in self.campaigns


@dataclass(frozen=True)
class Key:
    """What may be told of a key."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    campaigns: tuple[str, ...] | None
    """None if it is good for all."""
    state: Literal["valid", "expired", "revoked"]
    created_at: datetime
    created_by: str | None
    rotated_from: str | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class Made:
    """A new key; the secret is told once and kept nowhere."""

    key: Key
    secret: str


def create(
    session: Session,
    name: str,
    scopes: Collection[Scope],
    *,
    campaigns: Collection[str] | None = None,
    expires_at: datetime | None = None,
    by: str | None = None,
) -> Made:
    """Make a key.

    Args:
        session: The open transaction.
        name: What people call it.
        scopes: What it is good for.
        campaigns: On which campaigns; None for all, those to come included.
        expires_at: When it ends; None for never.
        by: Id of the key that makes it; None if somebody at the machine does.

    Raises:
        InvalidInput: If it would be good for nothing, has ended already, names a campaign that is none, or could
            give away more than it has.
    """
    _check(session, scopes, campaigns, expires_at)
    key_id = _new_id()
    about = {"name": name, "scopes": [s for s in SCOPES if s in scopes], "every_campaign": campaigns is None}
    made = _store(session, key_id, about | {"holder": key_id, "expires_at": expires_at, "created_by": by})
    keys.grant(session, key_id, campaigns or ())
    _note(session, "create_key", key_id, by, {"name": name, "scopes": about["scopes"]})
    return Made(_seen(session, [made.row])[0], made.secret)


def first(session: Session) -> Made | None:
    """Make a key for everything if none was ever made; None otherwise."""
    keys.lock_making(session)
    return None if keys.any_made(session) else create(session, "first", ROLES["admin"])


def refuse_without(session: Session, host: str) -> None:
    """Let nobody listen beyond this machine where nobody could be told from a stranger.

    Raises:
        NoKeys: If there is no valid key that may make others.
    """
    if not administered(session):
        raise NoKeys(host)


def administered(session: Session) -> bool:
    """Whether there is a valid key that may make others."""
    return keys.usable(session, ADMIN)


def rotate(
    session: Session, key_id: str, *, overlap: timedelta, expires_at: datetime | None = None, by: str | None = None
) -> Made:
    """Make a key that stands for another one, which ends after an overlap.

    Args:
        session: The open transaction.
        key_id: The old one.
        overlap: How long it is good still.
        expires_at: When the new one ends; None if it lasts as long as the old one was made for.
        by: Id of the key that does it; None if somebody at the machine does.

    Raises:
        NotFound: If there is none of this id.
        Conflict: If it is not valid any more.
        InvalidInput: If the new one would have ended already, or the overlap is too long.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise _refused("overlap_s", f"must be between 0 and {LONGEST_OVERLAP.total_seconds():.0f} s")
    _check_end(expires_at)
    old = keys.get(session, key_id)
    if (state := _state(old)) != "valid":
        raise Conflict(f"key {key_id} is {state}; create a new one")
    about = {"name": old.name, "scopes": old.scopes, "every_campaign": old.every_campaign, "holder": old.holder}
    told = {"expires_at": expires_at or _as_long_as(old), "created_by": by, "rotated_from": key_id}
    made = _store(session, _new_id(), about | told)
    keys.expire(session, key_id, overlap)
    _note(session, "rotate_key", key_id, by, {"new": made.row.id, "overlap_s": overlap.total_seconds()})
    return Made(_seen(session, [made.row])[0], made.secret)


def revoke(session: Session, key_id: str, by: str | None = None) -> Key:
    """Let a key end now. Revoking it again changes nothing.

    Raises:
        NotFound: If there is none of this id.
    """
    row = keys.revoke(session, key_id)
    if row is None:
        return get(session, key_id)
    _note(session, "revoke_key", key_id, by, None)
    return _seen(session, [row])[0]


def get(session: Session, key_id: str) -> Key:
    """What may be told of a key.

    Raises:
        NotFound: If there is none of this id.
    """
    return _seen(session, [keys.get(session, key_id)])[0]


def replaced_by(session: Session, presented: str) -> str | None:
    """Id of the newest valid key in the place of this one; None if there is no other, or if this is none."""
    found = SECRET.fullmatch(presented)
    return None if found is None else keys.replacement(session, found[1])


def page(session: Session, after: str | None, limit: int | None) -> list[Key]:
    """The first `limit` keys with an id above `after`, valid or not."""
    return _seen(session, keys.page(session, after, limit))


def caller_of(session: Session, presented: str) -> Caller | None:
    """Who presents a key; None if it is none, or good no longer."""
    found = SECRET.fullmatch(presented)
    stands = None if found is None else keys.standing(session, found[1])
    # The hash is compared even where nothing can come of it, so that time does not tell which ids there are.
    same = hmac.compare_digest(digest(presented), "0" * 64 if stands is None else stands.sha256)
    return _caller(session, stands) if same else None


def caller_in(session: Session, cookie: str) -> Caller | None:
    """Who was let in with a cookie; None if nobody was, or the session or its key is over."""
    key_id = keys.key_of_session(session, digest(cookie))
    return None if key_id is None else _caller(session, keys.standing(session, key_id))


def let_in(session: Session, caller: Caller) -> str:
    """Open a browser's session for whoever has presented a key; returns the cookie's value, which is kept nowhere."""
    keys.forget_sessions(session)
    cookie = secrets.token_urlsafe(32)
    keys.open_session(session, digest(cookie), caller.key_id, SESSION_LASTS)
    _note(session, "open_session", None, caller.key_id, None)
    return cookie


def let_out(session: Session, cookie: str) -> None:
    """End a browser's session, if there is one."""
    keys.close_session(session, digest(cookie))


def grant(session: Session, caller: Caller, campaign_id: str) -> None:
    """Let whoever has made a campaign see it."""
    if caller.campaigns is not None:
        keys.grant(session, caller.holder, [campaign_id])


def digest(secret: str) -> str:
    """What is kept of a secret: it has 256 random bits, so nothing slower than SHA-256 is needed."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _caller(session: Session, stands: keys.Standing | None) -> Caller | None:
    if stands is None or not stands.valid:
        return None
    keys.note_use(session, stands.id)
    campaigns = None if stands.every_campaign else frozenset(stands.campaigns)
    return Caller(stands.id, stands.holder, stands.name, frozenset(stands.scopes), campaigns)


@dataclass(frozen=True)
class _Stored:
    row: KeyRow
    secret: str


def _store(session: Session, key_id: str, about: dict[str, object]) -> _Stored:
    secret = f"flp_{key_id}_{secrets.token_urlsafe(32)}"
    return _Stored(keys.add(session, {"id": key_id, "sha256": digest(secret)} | about), secret)


def _new_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))


def _check(
    session: Session, scopes: Collection[Scope], campaigns: Collection[str] | None, expires_at: datetime | None
) -> None:
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise _refused("scopes", f"there is no scope {', '.join(unknown)}; there are {', '.join(SCOPES)}")
    if not scopes:
        raise _refused("scopes", "a key without a scope is good for nothing")
    if campaigns is not None:
        if whole := OF_ALL & set(scopes):
            raise _refused("campaigns", f"the scope {min(whole)} is of every campaign: the key cannot have only some")
        if absent := keys.missing(session, campaigns):
            raise _refused("campaigns", f"there is no campaign {', '.join(map(repr, absent))}")
    _check_end(expires_at)


def _check_end(expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise _refused("expires_at", "must be in the future")


def _as_long_as(old: KeyRow) -> datetime | None:
    """The end of a key that begins now and lasts as long as another one; none if that lasts for ever."""
    return None if old.expires_at is None else datetime.now(UTC) + (old.expires_at - old.created_at)


def _refused(field: str, message: str) -> InvalidInput:
    return InvalidInput(f"{field}: {message}", [Violation(f"/{field}", message)])


def _seen(session: Session, rows: Sequence[KeyRow]) -> list[Key]:
    granted = keys.granted(session, [row.holder for row in rows])
    return [
        Key(
            id=row.id,
            name=row.name,
            scopes=tuple(row.scopes),
            campaigns=None if row.every_campaign else tuple(granted[row.holder]),
            state=_state(row),
            created_at=row.created_at,
            created_by=row.created_by,
            rotated_from=row.rotated_from,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            last_used_at=row.last_used_at,
        )
        for row in rows
    ]


def _state(row: KeyRow) -> Literal["valid", "expired", "revoked"]:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= datetime.now(UTC) else "valid"


def _note(
    session: Session, operation: str, subject: str | None, by: str | None, data: dict[str, object] | None
) -> None:
    audit.add(session, {"operation": operation, "subject": subject, "key_id": by, "data": data})
