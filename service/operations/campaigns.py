"""Campaigns: create them, read them, move them from state to state."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.orm import Session

from models.problem import Problem
from service.errors import IllegalTransition
from service.operations import units
from service.operations.refill import refill
from service.store import campaigns, events, leases, proposals
from service.store.session import lock_campaign
from service.store.tables import CampaignConfigRow, CampaignRow

Action = Literal["activate", "pause", "resume", "drain", "complete", "abort"]

_MOVES: dict[Action, tuple[tuple[str, ...], str]] = {
    "activate": (("draft",), "active"),
    "pause": (("active",), "paused"),
    "resume": (("paused",), "active"),
    "drain": (("active", "paused"), "draining"),
    "complete": (("active", "paused", "draining"), "completed"),
    "abort": (("draft", "active", "paused", "draining", "completed"), "aborted"),
}
"""From which states each action is legal, and where it leads."""


@dataclass(frozen=True)
class Campaign:
    """A campaign as it stands, with the configuration in force."""

    id: str
    name: str
    state: str
    config_revision: int
    problem: dict[str, Any]
    queue_depth: int
    budget_films: int | None
    budget_devices: int | None
    budget_hours: float | None
    lease_ttl_s: int
    lease_overdue_s: int
    revision: int
    """Newest revision of its dataset."""
    films_made: int
    created_at: datetime
    updated_at: datetime
    cloned_from: dict[str, Any] | None = None
    """Campaign and number of the configuration that it began with."""


def create(
    session: Session,
    name: str,
    problem: Problem,
    *,
    queue_depth: int,
    budget_films: int | None,
    budget_devices: int | None = None,
    budget_hours: float | None = None,
    lease_ttl_s: int,
    lease_overdue_s: int,
) -> Campaign:
    """Store a draft campaign with configuration 1 and the empty dataset, revision 0.

    Raises:
        InvalidInput: If the unit of a property means nothing.
    """
    units.check_problem(problem)
    config = {
        "problem": problem.model_dump(mode="json"),
        "queue_depth": queue_depth,
        "budget_films": budget_films,
        "budget_devices": budget_devices,
        "budget_hours": budget_hours,
        "lease_ttl_s": lease_ttl_s,
        "lease_overdue_s": lease_overdue_s,
    }
    campaign_id = campaigns.create(session, name, config)
    events.append(session, campaign_id, "campaign.created", {"config_revision": 1})
    return get(session, campaign_id)


def get(session: Session, campaign_id: str) -> Campaign:
    """One campaign.

    Raises:
        NotFound: If there is none of this id.
    """
    row = campaigns.get(session, campaign_id)
    config = campaigns.config(session, campaign_id, row.config_revision)
    return _seen(row, config, campaigns.films_made(session, [campaign_id])[campaign_id])


def page(session: Session, after: str | None, limit: int, *, among: Collection[str] | None = None) -> list[Campaign]:
    """The first `limit` campaigns after the id `after`, oldest first; all, or those among some ids."""
    rows = campaigns.page(session, after, limit, among=among)
    made = campaigns.films_made(session, [row.id for row, _ in rows])
    return [_seen(row, config, made[row.id]) for row, config in rows]


def act(session: Session, campaign_id: str, action: Action) -> tuple[Campaign, str | None]:
    """Move a campaign to another state.

    An aborted, completed or draining campaign offers no more films; films in the making may still be reported, and
    measurements are always taken. A draining one is completed by itself when its last film was measured or given up.

    Returns:
        The campaign, and the id of the job to ring for after the commit, if one is wanted now.

    Raises:
        NotFound: If there is none of this id.
        IllegalTransition: If its state does not allow the action.
    """
    lock_campaign(session, campaign_id)
    allowed_from, to = _MOVES[action]
    if not campaigns.move(session, campaign_id, allowed_from, to):
        state = campaigns.get(session, campaign_id).state
        raise IllegalTransition("campaign", campaign_id, state, action, allowed_actions(state))
    events.append(session, campaign_id, f"campaign.{to}", {"action": action})
    if to in {"draining", "completed", "aborted"}:
        _withdraw(session, campaign_id, also_leased=to == "aborted")
    job_id = refill(session, campaign_id)
    return get(session, campaign_id), job_id


def allowed_actions(state: str) -> list[str]:
    """Actions that are legal in a state."""
    return [action for action, (allowed_from, _) in _MOVES.items() if state in allowed_from]


def _withdraw(session: Session, campaign_id: str, *, also_leased: bool) -> None:
    """Cancel what nobody has begun to make."""
    cancelled = proposals.withdraw_ready(session, campaign_id, to="cancelled")
    if also_leased:
        held = leases.live_in(session, campaign_id, "leased")
        for _, proposal in held:
            proposals.move(session, proposal.id, ["leased"], "cancelled", raise_fence=True)
            cancelled.append(proposal.id)
        leases.end(session, [lease.id for lease, _ in held], "cancelled")
    if cancelled:
        events.append(session, campaign_id, "proposals.cancelled", {"proposal_ids": cancelled})


def _seen(row: CampaignRow, config: CampaignConfigRow, films_made: int) -> Campaign:
    return Campaign(
        id=row.id,
        name=row.name,
        state=row.state,
        config_revision=row.config_revision,
        problem=config.problem,
        queue_depth=config.queue_depth,
        budget_films=config.budget_films,
        budget_devices=config.budget_devices,
        budget_hours=config.budget_hours,
        lease_ttl_s=config.lease_ttl_s,
        lease_overdue_s=config.lease_overdue_s,
        revision=row.revision,
        films_made=films_made,
        created_at=row.created_at,
        updated_at=row.updated_at,
        cloned_from=row.cloned_from,
    )
