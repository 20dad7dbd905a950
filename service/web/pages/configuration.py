"""What a campaign seeks and how: the configuration in force, the ones before it, and how it is changed."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from models.catalog import policies_for
from service.operations import campaigns, configurations
from service.web.dependencies import CampaignId, SessionsDependency
from service.web.navigation import CAMPAIGN_TABS
from service.web.rendering import render

router = APIRouter()

MOST = 1000
"""Configurations in the list."""
LARGEST_NUMBER = 2**31 - 1


@router.get("/campaigns/{campaign_id}/configuration")
def show_configuration(
    request: Request,
    campaign_id: CampaignId,
    sessions: SessionsDependency,
    number: Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER)] = None,
) -> Response:
    """The configuration in force, or an older one by its number."""
    with sessions() as session:
        campaign = campaigns.get(session, campaign_id)
        shown = configurations.read(session, campaign_id, number or campaign.config_revision)
        history = configurations.page(session, campaign_id, 0, MOST)
    pairs = list(zip(history, [None, *history], strict=False))
    return render(
        request,
        "configuration.html",
        campaign=campaign,
        shown=shown,
        history=[(one, _changed(before, one)) for one, before in reversed(pairs)],
        policies=_policies(shown.problem),
        can_change=campaign.state in configurations.CHANGING and shown.number == campaign.config_revision,
        tabs=CAMPAIGN_TABS,
        tab="configuration",
    )


def _policies(problem: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the policies that may be chosen for a problem as JSON."""
    sought = problem["objectives"]
    targets = any(o.get("target") is not None for o in sought)
    return policies_for(len(sought), targets=targets, outcomes=bool(problem.get("outcomes")))


def _changed(before: configurations.Configuration | None, now: configurations.Configuration) -> list[str]:
    """Names of what a configuration has otherwise than the one before it."""
    if before is None:
        return []
    old, new = _flat(before), _flat(now)
    return [name for name, value in new.items() if value != old.get(name)]


def _flat(configuration: configurations.Configuration) -> dict[str, Any]:
    others = ("queue_depth", "budget_films", "budget_devices", "budget_hours", "lease_ttl_s", "lease_overdue_s")
    return {**configuration.problem, **{name: getattr(configuration, name) for name in others}}
