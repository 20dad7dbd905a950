"""What people want of the queue: a film of their own, another order, one film less, a word on one that is overdue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.orm import Session

from models.composition import ProcessValues
from models.errors import InvalidComposition
from models.film import (
    Film,
    FilmChoice,
    choice_violations,
    chosen_film,
    commanded_film,
    film_violations,
    named_commands,
)
from models.problem import Problem
from service.errors import IllegalTransition, InvalidInput, Violation
from service.operations import leases as under_lease
from service.operations.budgets import refuse_if_spent
from service.operations.campaigns import allowed_actions
from service.operations.leases import Outcome
from service.operations.proposals import Proposal, get
from service.operations.recommendations import code_version, library_versions, written_film
from service.operations.refill import refill
from service.store import campaigns, datasets, events, leases, proposals
from service.store.ids import new_id
from service.store.session import lock_campaign
from service.store.tables import OUTSTANDING, ProposalRow

ASKING = ("draft", "active", "paused")
"""States of a campaign in which films may be asked for."""
_ALLOWED_FROM: dict[str, tuple[str, ...]] = {
    "cancel": ("ready", "leased"),
    "prioritise": ("ready",),
    "resolve": ("overdue",),
}
"""Proposal states in which each action of a person is legal."""


@dataclass(frozen=True)
class WantedFilm:
    """A film that a person wants: by its ends, or by commands where the campaign has a deposition grid."""

    a: Mapping[str, float] | None
    b: Mapping[str, float] | None
    commands_a: Mapping[str, float] | None
    commands_b: Mapping[str, float] | None
    process: ProcessValues


def inject(session: Session, campaign_id: str, wanted: WantedFilm, reason: str) -> tuple[Proposal, str | None]:
    """Put a film that a person wants at the head of the queue; no decision supersedes it.

    Returns:
        The proposal, and the id of the job to ring for after the commit, if a decision beside it is wanted now.

    Raises:
        NotFound: If there is no such campaign.
        IllegalTransition: If the campaign offers no more films.
        InvalidInput: If the film breaks a rule of the campaign; each is named.
        BudgetSpent: If the budget has no room for it.
    """
    lock_campaign(session, campaign_id)
    campaign = campaigns.get(session, campaign_id)
    if campaign.state not in ASKING:
        raise IllegalTransition("campaign", campaign_id, campaign.state, "propose", allowed_actions(campaign.state))
    problem = datasets.problem(session, campaign_id, campaign.config_revision)
    film = _film(wanted, problem)
    config = campaigns.config(session, campaign_id, campaign.config_revision)
    refuse_if_spent(session, config, len(film.s), promised=True)
    provenance = {
        "config_revision": campaign.config_revision,
        "revision": campaign.revision,
        "snapshot_hash": datasets.kept_hash(session, campaign_id, campaign.revision),
        "model_version_id": None,
        "policy": "person",
        "policy_options": {},
        "seed": 0,
        "pending_film_count": proposals.count(session, campaign_id, OUTSTANDING),
        "code_version": code_version(),
        "versions": library_versions(),
    }
    row: dict[str, Any] = {
        "id": new_id("prp"),
        "campaign_id": campaign_id,
        "config_revision": campaign.config_revision,
        "revision": campaign.revision,
        "rank": 0,
        "priority": max(1, proposals.highest_priority(session, campaign_id)),
        "film": written_film(film, problem),
        "source": "person",
        "policy": "person",
        "reason": reason,
        "alternatives": [],
        "provenance": provenance,
    }
    proposals.insert_ready(session, [row])
    events.append(session, campaign_id, "proposal.injected", {"proposal_id": row["id"]})
    job_id = refill(session, campaign_id, pending_changed=True)
    return get(session, row["id"]), job_id


def cancel(session: Session, proposal_id: str) -> tuple[Proposal, str | None]:
    """Take a film off the queue, or from a robot that has not begun it. Until there are new data none like it comes.

    Raises:
        NotFound: If there is no such proposal.
        IllegalTransition: If its making was begun, or it is over.
    """
    row = _locked(session, proposal_id)
    if proposals.move(session, proposal_id, _ALLOWED_FROM["cancel"], "cancelled", raise_fence=True) is None:
        raise _illegal(row, "cancel")
    proposals.prioritise(session, proposal_id, proposals.UNWISHED)
    held = leases.live_for(session, proposal_id)
    if held is not None:
        leases.end(session, [held.id], "cancelled")
    events.append(session, row.campaign_id, "proposals.cancelled", {"proposal_ids": [proposal_id]})
    job_id = refill(session, row.campaign_id, pending_changed=True)
    return get(session, proposal_id), job_id


def prioritise(session: Session, proposal_id: str) -> tuple[Proposal, str | None]:
    """Let a film be the next that is claimed; from now on no decision supersedes it.

    Raises:
        NotFound: If there is no such proposal.
        IllegalTransition: If it does not wait any more.
    """
    row = _locked(session, proposal_id)
    if row.state not in _ALLOWED_FROM["prioritise"]:
        raise _illegal(row, "prioritise")
    proposals.prioritise(session, proposal_id, proposals.highest_priority(session, row.campaign_id) + 1)
    events.append(session, row.campaign_id, "proposal.prioritised", {"proposal_id": proposal_id})
    return get(session, proposal_id), None


def resolve(
    session: Session,
    proposal_id: str,
    outcome: Outcome | Literal["running"],
    *,
    compositions: Sequence[Mapping[str, float]] | None,
    note: str | None,
) -> tuple[Proposal, str | None]:
    """Say what came of an overdue film, whose robot does not.

    Raises:
        NotFound: If there is no such proposal.
        IllegalTransition: If it is not overdue.
        InvalidInput: If the compositions do not fit the film or the campaign.
    """
    row = _locked(session, proposal_id)
    if row.state not in _ALLOWED_FROM["resolve"]:
        raise _illegal(row, "resolve")
    moved = under_lease.resolve(session, proposal_id, outcome, compositions=compositions, note=note)
    return moved.proposal, moved.job_id


def _locked(session: Session, proposal_id: str) -> ProposalRow:
    lock_campaign(session, proposals.get(session, proposal_id).campaign_id)
    return proposals.get(session, proposal_id)


def _illegal(row: ProposalRow, action: str) -> IllegalTransition:
    allowed = [a for a, allowed_from in _ALLOWED_FROM.items() if row.state in allowed_from]
    return IllegalTransition("proposal", row.id, row.state, action, allowed)


def _film(wanted: WantedFilm, problem: Problem) -> Film:
    """The film that is wanted, or every rule that it breaks."""
    space, geometry = problem.space, problem.film
    if geometry.grid is not None:
        if wanted.commands_a is None or wanted.commands_b is None:
            raise _refused(["the campaign has a deposition grid: the film is wanted by its commands"], "/commands")
        if unknown := sorted({*wanted.commands_a, *wanted.commands_b} - set(space.elements)):
            raise _refused([f"unknown elements {unknown}; the search space has {list(space.elements)}"], "/commands")
        if not (any(wanted.commands_a.values()) and any(wanted.commands_b.values())):
            raise _refused(["no source is on at an end"], "/commands")
        commands = named_commands(wanted.commands_a, wanted.commands_b, space)
        try:
            film = commanded_film(commands, space.encode_process(wanted.process), space, geometry)
        except InvalidComposition as error:
            raise _refused([str(error)], "/process") from error
        if broken := film_violations(film, space, geometry):
            raise _refused(broken, "/commands")
        return film
    if wanted.a is None or wanted.b is None:
        raise _refused(["the campaign has no deposition grid: the film is wanted by its ends a and b"], "/a")
    choice = FilmChoice(a=dict(wanted.a), b=dict(wanted.b), process=dict(wanted.process))
    if broken := choice_violations(choice, space, geometry):
        raise _refused(broken, "/a")
    if geometry.choices and not any(_same(choice, listed) for listed in geometry.choices):
        raise _refused(["the film is not one of those that the campaign lists"], "/a")
    return chosen_film(choice, space, geometry)


def _same(one: FilmChoice, other: FilmChoice) -> bool:
    """Whether two listed films are one, elements that are left out being absent."""

    def said(choice: FilmChoice) -> tuple[Any, ...]:
        ends = tuple(tuple(sorted((e, x) for e, x in end.items() if x > 0.0)) for end in (choice.a, choice.b))
        return (*ends, tuple(sorted(choice.process.items())))

    return said(one) == said(other)


def _refused(broken: Sequence[str], pointer: str) -> InvalidInput:
    return InvalidInput(f"the film breaks {len(broken)} rule(s)", [Violation(pointer, rule) for rule in broken])
