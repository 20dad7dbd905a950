"""Configurations: what a campaign seeks and how, numbered. A change is a new number; old proposals keep theirs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from models.composition import CategoricalVariable, ContinuousVariable
from models.errors import InvalidComposition
from models.film import film_violations
from models.problem import Problem
from service.errors import IllegalTransition, InvalidInput, NotFound, PreconditionFailed, Violation
from service.operations import units
from service.operations.campaigns import Campaign, allowed_actions, get
from service.operations.recommendations import proposed_film
from service.operations.refill import refill, request_decision
from service.store import campaigns, events, proposals
from service.store.session import lock_campaign
from service.store.tables import CampaignConfigRow, CampaignRow, ProposalRow

CHANGING = ("draft", "active", "paused", "draining")
"""States in which a configuration may change."""


@dataclass(frozen=True)
class Configuration:
    """One numbered configuration."""

    campaign_id: str
    number: int
    problem: dict[str, Any]
    queue_depth: int
    budget_films: int | None
    budget_devices: int | None
    budget_hours: float | None
    lease_ttl_s: int
    lease_overdue_s: int
    created_at: datetime


def read(session: Session, campaign_id: str, number: int) -> Configuration:
    """One configuration, in force or not.

    Raises:
        NotFound: If there is no such campaign, or no configuration of this number.
    """
    newest = campaigns.get(session, campaign_id).config_revision
    if not 1 <= number <= newest:
        raise NotFound(f"configuration among the {newest} of campaign {campaign_id}:", str(number))
    row = campaigns.config(session, campaign_id, number)
    return Configuration(campaign_id=campaign_id, number=number, created_at=row.created_at, **values_of(row))


def page(session: Session, campaign_id: str, after: int, limit: int) -> list[Configuration]:
    """The first `limit` configurations of a campaign with numbers above `after`, oldest first.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaigns.get(session, campaign_id)
    rows = campaigns.configs(session, campaign_id, after, limit)
    return [
        Configuration(campaign_id=campaign_id, number=row.number, created_at=row.created_at, **values_of(row))
        for row in rows
    ]


def change(
    session: Session,
    campaign_id: str,
    seen: Collection[int] | None,
    problem: Mapping[str, Any],
    others: Mapping[str, Any],
) -> tuple[Campaign, str | None]:
    """Put a new configuration in force.

    Films that are ready were chosen for another problem, if that changed: they are superseded, but for those that a
    person wants and that break no rule. Films that were claimed are made as they were proposed.

    Args:
        session: The open transaction.
        campaign_id: The campaign.
        seen: Numbers of the configurations that the caller has seen, of which one must be in force; None for any.
        problem: Members of the problem as JSON; each replaces the old one whole, the others stay.
        others: Columns of `CampaignConfigRow` beside the problem that change.

    Returns:
        The campaign, and the id of the job to ring for after the commit, if one is wanted now.

    Raises:
        NotFound: If there is none of this id.
        PreconditionFailed: If another configuration came into force since.
        IllegalTransition: If the campaign is over.
        InvalidInput: If the new problem is none, or what was measured so far would have no meaning in it.
    """
    lock_campaign(session, campaign_id)
    row = campaigns.get(session, campaign_id)
    if seen is not None and row.config_revision not in seen:
        raise PreconditionFailed(f"configuration {row.config_revision} is in force: read the campaign again")
    if row.state not in CHANGING:
        raise IllegalTransition("campaign", campaign_id, row.state, "change", allowed_actions(row.state))
    before = campaigns.config(session, campaign_id, row.config_revision)
    old = Problem.model_validate(before.problem)
    new = _changed(old, problem)
    changes = {name: value for name, value in others.items() if value != getattr(before, name)}
    if new != old:
        changes["problem"] = new.model_dump(mode="json")
    if not changes:
        return get(session, campaign_id), None
    number = campaigns.add_config(session, campaign_id, values_of(before) | changes)
    superseded = _supersede(session, row, new) if new != old else []
    told = {"config_revision": number, "changed": sorted(changes), "superseded": superseded}
    events.append(session, campaign_id, "campaign.changed", told)
    job_id = request_decision(session, campaign_id, row.revision) if new != old else None
    return get(session, campaign_id), job_id or refill(session, campaign_id)


def _changed(old: Problem, members: Mapping[str, Any]) -> Problem:
    """The new problem, in which everything measured so far still has a meaning."""
    new = with_members(old, members)
    if found := [*_lost_elements(old, new), *_lost_process(old, new), *_other_units(old, new)]:
        raise InvalidInput(f"{len(found)} change(s) would take the meaning from what was measured", found)
    return new


def with_members(old: Problem, members: Mapping[str, Any]) -> Problem:
    """A problem some of whose members are replaced, each as a whole.

    Raises:
        InvalidInput: If it is none, or if a unit means nothing.
    """
    try:
        new = Problem.model_validate(old.model_dump(mode="json") | dict(members))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        found = [Violation("/problem" + "".join(f"/{part}" for part in f["loc"]), f["msg"]) for f in faults]
        raise InvalidInput(
            f"{len(found)} thing(s) are wrong with the new problem; nothing was stored", found
        ) from error
    units.check_problem(new)
    return new


def _lost_elements(old: Problem, new: Problem) -> list[Violation]:
    if lost := [e for e in old.space.elements if e not in new.space.elements]:
        message = f"elements may be added, but {', '.join(lost)} is in films that were made"
        return [Violation("/problem/space/elements", message)]
    return []


def _lost_process(old: Problem, new: Problem) -> list[Violation]:
    """Process variables stay, and what was set so far must remain within their ranges."""
    before, after = ({v.name: v for v in p.space.process} for p in (old, new))
    at = "/problem/space/process"
    if set(before) != set(after):
        names = ", ".join(sorted(set(before) ^ set(after)))
        return [Violation(at, f"process variables stay the same, as every film has a value of each: {names}")]
    found = []
    for name, then in before.items():
        match then, after[name]:
            case ContinuousVariable() as a, ContinuousVariable() as b if a.unit == b.unit:
                if b.lower > a.lower or b.upper < a.upper:
                    message = f"{name}: the range may grow, not shrink below {a.lower:g} to {a.upper:g} {a.unit}"
                    found.append(Violation(at, message))
            case CategoricalVariable() as a, CategoricalVariable() as b:
                if gone := sorted(set(a.choices) - set(b.choices)):
                    found.append(Violation(at, f"{name}: choices may be added, but {', '.join(gone)} was one"))
            case _:
                found.append(Violation(at, f"{name}: kind and unit stay as they are"))
    return found


def _other_units(old: Problem, new: Problem) -> list[Violation]:
    before = {p.property: p.unit for p in old.properties}
    return [
        Violation("/problem", f"unit of {p.property!r} stays {before[p.property]!r}, in which readings are stored")
        for p in new.properties
        if before.get(p.property, p.unit) != p.unit
    ]


def _supersede(session: Session, campaign: CampaignRow, problem: Problem) -> list[str]:
    """Take off the queue what was chosen for another problem, and what a person wanted and breaks a rule now."""
    gone = proposals.withdraw_ready(session, campaign.id, to="superseded", among=proposals.UNWANTED)
    broken = [row.id for row in proposals.ready(session, campaign.id) if _breaks_a_rule(row, problem)]
    if broken:
        among = ProposalRow.id.in_(broken)
        gone += proposals.withdraw_ready(session, campaign.id, to="superseded", among=among)
    return gone


def _breaks_a_rule(row: ProposalRow, problem: Problem) -> bool:
    if len(row.film["devices"]) != problem.film.devices:
        return True
    try:
        film = proposed_film(row.film, problem)
    except InvalidComposition:
        return True
    return bool(film_violations(film, problem.space, problem.film))


def values_of(row: CampaignConfigRow) -> dict[str, Any]:
    """Everything that a configuration says, by the names of its columns."""
    return {
        "problem": row.problem,
        "queue_depth": row.queue_depth,
        "budget_films": row.budget_films,
        "budget_devices": row.budget_devices,
        "budget_hours": row.budget_hours,
        "lease_ttl_s": row.lease_ttl_s,
        "lease_overdue_s": row.lease_overdue_s,
    }
