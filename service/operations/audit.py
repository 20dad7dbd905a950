"""Who changed what, to be read by those who hand out keys."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.store import audit


@dataclass(frozen=True)
class Entry:
    """One change."""

    number: int
    at: datetime
    key_id: str | None
    """None if somebody at the machine did it."""
    operation: str
    campaign_id: str | None
    subject: str | None
    data: dict[str, Any] | None


def page(
    session: Session, after: int, limit: int, *, key_id: str | None = None, campaign_id: str | None = None
) -> list[Entry]:
    """The first `limit` changes with a number above `after`, in order; all, or those of a key or a campaign.

    Numbers are drawn before the commit: who reads on while much is written may miss an entry and must read again.
    """
    found = audit.page(session, after, limit, key_id=key_id, campaign_id=campaign_id)
    return [Entry(r.number, r.at, r.key_id, r.operation, r.campaign_id, r.subject, r.data) for r in found]
