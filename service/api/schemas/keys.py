"""Keys, sessions and the audit on the wire."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr

from service.api.schemas.fields import Identifier, Incoming, Instant, InstantIn, Label, Outgoing
from service.operations.audit import Entry
from service.operations.keys import LONGEST_OVERLAP, SCOPES, Caller, Key, Scope

MOST_CAMPAIGNS = 1000
SECRET_PATTERN = r"^flp_[0-9a-z]{8}_[A-Za-z0-9_-]{43}$"  # noqa: S105 - what one looks like


class KeyCreate(Incoming):
    """A key that shall be made."""

    name: Label
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))]
    """What it is good for."""
    campaigns: Annotated[list[Identifier], Field(max_length=MOST_CAMPAIGNS)] | None = None
    """On which campaigns; null for all, those to come included. What its holder creates is added."""
    expires_at: InstantIn | None = None
    """When it ends; null for never."""


class KeyRotate(Incoming):
    """A new key in the place of an old one."""

    overlap_s: Annotated[int, Field(strict=True, ge=0, le=int(LONGEST_OVERLAP.total_seconds()))] = 86_400
    """How long the old one is good still."""
    expires_at: InstantIn | None = None
    """When the new one ends; null if it lasts as long as the old one was made for."""


class KeyRead(Outgoing):
    """What may be told of a key."""

    id: str
    """The part of the key between its underscores; no secret."""
    name: str
    scopes: list[Scope]
    campaigns: list[str] | None
    """Null if it is good for all."""
    state: Literal["valid", "expired", "revoked"]
    created_at: Instant
    created_by: str | None
    """Id of the key that made it; null if somebody at the machine did."""
    rotated_from: str | None
    """Id of the key that it stands for."""
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None
    """To the minute."""

    @classmethod
    def of(cls, key: Key) -> Self:
        """A key as the record has it."""
        return cls(
            id=key.id,
            name=key.name,
            scopes=list(key.scopes),
            campaigns=None if key.campaigns is None else list(key.campaigns),
            state=key.state,
            created_at=key.created_at,
            created_by=key.created_by,
            rotated_from=key.rotated_from,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
        )


class KeyMade(KeyRead):
    """A new key, with its secret."""

    secret: str | None
    """The key itself, told once: a repeated request has null here. Who missed it revokes the key and makes another."""


class SessionCreate(Incoming):
    """A browser asks to be let in."""

    key: Annotated[SecretStr, Field(max_length=128)]
    """The key of the person at the browser."""


class CallerRead(Outgoing):
    """Who asks."""

    key_id: str
    name: str
    scopes: list[str]
    campaigns: list[str] | None
    """Null if the key is good for all."""

    @classmethod
    def of(cls, caller: Caller) -> Self:
        """A caller as the gate knows it."""
        campaigns = None if caller.campaigns is None else sorted(caller.campaigns)
        return cls(key_id=caller.key_id, name=caller.name, scopes=sorted(caller.scopes), campaigns=campaigns)


class AuditRead(Outgoing):
    """One change."""

    number: int
    at: Instant
    key_id: str | None
    """Null if somebody at the machine did it."""
    operation: str
    """Name of the call, as in this description."""
    campaign_id: str | None
    subject: str | None
    """Id of what it was done to, or of what was made."""
    data: dict[str, Any] | None

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """A change as the record has it."""
        return cls(
            number=entry.number,
            at=entry.at,
            key_id=entry.key_id,
            operation=entry.operation,
            campaign_id=entry.campaign_id,
            subject=entry.subject,
            data=entry.data,
        )
