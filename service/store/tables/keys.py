"""Who may ask: keys, the campaigns that they are granted, browsers' sessions, and who did what."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from service.store.tables.base import Base


class KeyRow(Base):
    """A key. The secret itself is nowhere: only its hash is kept."""

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(primary_key=True)
    """The part of the key that is no secret."""
    sha256: Mapped[str]
    name: Mapped[str]
    scopes: Mapped[list[Any]]
    every_campaign: Mapped[bool]
    """Whether it is good for all campaigns, those to come included; otherwise for those that its holder is granted."""
    holder: Mapped[str] = mapped_column(ForeignKey("api_key.id"))
    """The first key that this one stands for after rotations; grants and Idempotency-Keys outlive a rotation by it."""
    rotated_from: Mapped[str | None] = mapped_column(ForeignKey("api_key.id"))
    created_by: Mapped[str | None] = mapped_column(ForeignKey("api_key.id"))
    """The key that made it; none if somebody at the machine did."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    """To the minute."""

    __table_args__ = (
        CheckConstraint("id ~ '^[0-9a-z]{8}$'", name="id"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        Index("ix_api_key_holder", "holder"),
    )


class GrantRow(Base):
    """A campaign that the holder of a key may see."""

    __tablename__ = "campaign_grant"

    holder: Mapped[str] = mapped_column(ForeignKey("api_key.id"), primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WebSessionRow(Base):
    """A browser that was let in with a key. It is good for no longer than the key."""

    __tablename__ = "web_session"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    """Of the cookie's value."""
    key_id: Mapped[str] = mapped_column(ForeignKey("api_key.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        Index("ix_web_session_expires_at", "expires_at"),
    )


class AuditRow(Base):
    """Who changed what, written in the transaction of the change. Append-only."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    key_id: Mapped[str | None]
    """None if somebody at the machine did it, with the command `filmloop`."""
    operation: Mapped[str]
    """Name of the call, as in the API's description."""
    campaign_id: Mapped[str | None]
    subject: Mapped[str | None]
    """Id of what it was done to, or of what was made."""
    data: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What else an operator wants to know; never a secret."""

    __table_args__ = (
        Index("ix_audit_campaign_id_number", "campaign_id", "number", postgresql_where=text("campaign_id IS NOT NULL")),
        Index("ix_audit_key_id_number", "key_id", "number"),
    )
