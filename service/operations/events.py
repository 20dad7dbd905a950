"""Read what happened in a campaign."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.store import campaigns, events


@dataclass(frozen=True)
class Event:
    """One thing that happened."""

    seq: int
    type: str
    at: datetime
    data: dict[str, Any]


def page(session: Session, campaign_id: str, after: int, limit: int) -> Sequence[Event]:
    """The first `limit` events after number `after`, in the order of commits: who reads on from the last misses none.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaigns.get(session, campaign_id)
    return [Event(e.seq, e.type, e.at, e.data) for e in events.page(session, campaign_id, after, limit)]
