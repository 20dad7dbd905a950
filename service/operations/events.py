"""Read what happened in a campaign."""

from collections.abc import Mapping, Sequence
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


def newest(session: Session, campaign_id: str) -> int:
    """Number of the campaign's newest event; 0 if there is none.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaigns.get(session, campaign_id)
    return events.newest(session, campaign_id)


def since(session: Session, seen: Mapping[str, int], limit: int) -> dict[str, list[Event]]:
    """New events of several campaigns at once.

    Args:
        session: The open transaction.
        seen: Number of the last event seen, by campaign.
        limit: Most events of each campaign.

    Returns:
        The first `limit` events above its number, in order, of each campaign that has any.
    """
    found: dict[str, list[Event]] = {}
    for row in events.since(session, seen, limit):
        found.setdefault(row.campaign_id, []).append(Event(row.seq, row.type, row.at, row.data))
    return found
