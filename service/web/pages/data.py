"""The readings of a campaign: leaf through them, hand in more, let some no longer count, take them away as files."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from service.operations import campaigns, events, ledger
from service.operations.ledger import Filter
from service.web.dependencies import CampaignId, SessionsDependency
from service.web.navigation import CAMPAIGN_TABS
from service.web.rendering import render

router = APIRouter()

SHOWN = 50
"""Readings on one page."""
Named = Annotated[str | None, Query(max_length=128)]
Status = Literal["ok", "dead", "above_limit", "below_limit"]


@dataclass(frozen=True)
class _Asked:
    """What the address of the page asks for; an empty field of its form does not matter."""

    film: str | None
    instrument: str | None
    property: str | None
    status: str | None
    counts: str | None

    def wanted(self) -> Filter:
        counts = {"yes": True, "no": False}.get(self.counts or "")
        return Filter(self.film, self.instrument, self.property, self.status, counts)

    def fields(self) -> dict[str, str]:
        return {name: value for name, value in vars(self).items() if value is not None}


def _asked(
    film: Named = None,
    instrument: Named = None,
    property: Named = None,  # noqa: A002 - the name in the address
    status: Status | Literal[""] | None = None,
    counts: Literal["yes", "no", ""] | None = None,
) -> _Asked:
    return _Asked(film or None, instrument or None, property or None, status or None, counts or None)


@router.get("/campaigns/{campaign_id}/data")
def show_data(
    request: Request,
    campaign_id: CampaignId,
    sessions: SessionsDependency,
    asked: Annotated[_Asked, Depends(_asked)],
    after: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """A page of readings with what can be done with them."""
    with sessions() as session:
        shown: dict[str, Any] = {
            "newest": events.newest(session, campaign_id),
            "campaign": campaigns.get(session, campaign_id),
            "leaf": ledger.page(session, campaign_id, asked.wanted(), after, SHOWN),
            "choices": ledger.choices(session, campaign_id),
            "retractions": ledger.retractions(session, campaign_id),
        }
    following = shown["leaf"].next
    more = None if following is None else "?" + urlencode(asked.fields() | {"after": following})
    return render(request, "data.html", **shown, asked=asked, more=more, first=after is None, tabs=CAMPAIGN_TABS)
