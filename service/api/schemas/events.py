"""Events on the wire."""

from typing import Any

from service.api.schemas.fields import Instant, Outgoing


class EventRead(Outgoing):
    """One thing that happened in a campaign."""

    seq: int
    """Its number; numbers rise in the order in which changes became visible, and may have gaps."""
    type: str
    at: Instant
    data: dict[str, Any]


class EventPage(Outgoing):
    """Events in order; ask again with `after` set to `next`, which stays as it was while nothing new happens."""

    items: list[EventRead]
    next: int
