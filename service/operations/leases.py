"""What a robot does under its lease: renew, start, complete, fail, release; and what happens when its time is over.

Each is one guarded change of the proposal under the lease's fence. A lease guards the proposal's state, never the data:
measurements of a film are taken whatever became of its lease.
"""

import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from service.errors import IllegalTransition, InvalidInput, NotAllowed, Violation
from service.operations import proposals as reading
from service.operations.refill import refill, request_decision
from service.store import campaigns, events, films, leases, proposals
from service.store.datasets import draw_revision
from service.store.session import lock_campaign
from service.store.tables import CampaignConfigRow, LeaseRow, ProposalRow

Outcome = Literal["ok", "partial", "infeasible", "equipment", "operator"]
Failure = Literal["infeasible", "equipment", "operator"]
SUM_TOLERANCE = 1e-6
"""Largest distance between 1 and the sum of a device's fractions as made."""

_ALLOWED_FROM: dict[str, tuple[str, ...]] = {
    "renew": ("leased", "running", "overdue"),
    "start": ("leased",),
    "complete": ("running",),
    "fail": ("running", "overdue"),
    "release": ("leased",),
}
"""Proposal states in which each action of a robot is legal."""
_OF_A_PERSON: dict[str, tuple[str, ...]] = {"resolve": ("overdue",)}
"""The same of what a person does in the place of a robot."""


@dataclass(frozen=True)
class Lease:
    """A robot's right to move one proposal."""

    id: str
    token: str
    fence: int
    robot: str
    expires_at: datetime


@dataclass(frozen=True)
class Moved:
    """What an action under a lease led to."""

    lease: Lease
    proposal: reading.Proposal
    film_id: str | None
    job_id: str | None = None
    """Job to ring for after the commit."""


@dataclass(frozen=True)
class _Held:
    """A live lease whose token was shown, with all that an action needs. The campaign's lock is held."""

    lease: LeaseRow
    proposal: ProposalRow
    config: CampaignConfigRow


def renew(session: Session, lease_id: str, token: str) -> Moved:
    """Let the lease run anew. An overdue film whose robot answers again is in the making again.

    Raises:
        NotFound: If there is no such lease.
        NotAllowed: If the token is not the lease's.
        IllegalTransition: If the lease is over.
    """
    held = _hold(session, lease_id, token, "renew")
    if held.proposal.state == "leased":
        leases.extend(session, lease_id, held.config.lease_ttl_s)
        return _moved(session, held)
    return _resumed(session, held, "renew")


def _resumed(session: Session, held: _Held, action: str) -> Moved:
    if held.proposal.state == "overdue":
        _move(session, held, action, "running")
        film_id = _film_of(session, held)
        films.move(session, film_id, ["overdue"], "running")
        events.append(session, held.lease.campaign_id, "film.resumed", {"film_id": film_id})
    leases.extend(session, held.lease.id, held.config.lease_overdue_s)
    return _moved(session, held)


def start(session: Session, lease_id: str, token: str) -> Moved:
    """Begin to make the film: from here on material is spent and the lease runs until the film would be overdue.

    Raises:
        NotFound: If there is no such lease.
        NotAllowed: If the token is not the lease's.
        IllegalTransition: If the lease is over or the film was started already.
    """
    held = _hold(session, lease_id, token, "start")
    proposal = _move(session, held, "start", "running")
    film_id = films.start(session, proposal, held.lease.robot)
    leases.extend(session, lease_id, held.config.lease_overdue_s)
    told = {"film_id": film_id, "proposal_id": proposal.id, "robot": held.lease.robot}
    events.append(session, proposal.campaign_id, "film.started", told)
    return _moved(session, held)


def complete(
    session: Session,
    lease_id: str,
    token: str,
    outcome: Outcome,
    *,
    compositions: Sequence[Mapping[str, float]] | None,
    note: str | None,
) -> Moved:
    """End the making of the film and the lease, with what each device is made of if that is known.

    A film that came out infeasible, or was spoilt by equipment or operator, has failed: nobody will measure it.

    Args:
        session: The open transaction.
        lease_id: The lease.
        token: Its token.
        outcome: What came of it.
        compositions: K compositions as made, in the order of the devices; elements left out are absent.
        note: What a person should know.

    Raises:
        NotFound: If there is no such lease.
        NotAllowed: If the token is not the lease's.
        IllegalTransition: If the lease is over or the film is not in the making.
        InvalidInput: If the compositions do not fit the film or the campaign.
    """
    match outcome:
        case "infeasible" | "equipment" | "operator":
            return fail(session, lease_id, token, outcome, reason=note)
    held = _hold(session, lease_id, token, "complete")
    return _completed(session, held, "complete", outcome=outcome, compositions=compositions, note=note)


def _completed(
    session: Session,
    held: _Held,
    action: str,
    *,
    outcome: Outcome,
    compositions: Sequence[Mapping[str, float]] | None,
    note: str | None,
) -> Moved:
    as_made = None if compositions is None else _checked(held, compositions)
    proposal = _move(session, held, action, "made")
    film_id = _film_of(session, held)
    films.move(session, film_id, ["running", "overdue"], "made", {"outcome": outcome, "note": note})
    leases.end(session, [held.lease.id], "completed")
    events.append(session, proposal.campaign_id, "film.made", {"film_id": film_id, "outcome": outcome})
    drawn = None if as_made is None else _keep_as_made(session, held, film_id, as_made)
    _close_if_measured(session, held, film_id)
    if drawn is not None:
        job_id = request_decision(session, proposal.campaign_id, drawn)
    else:
        job_id = refill(session, proposal.campaign_id, pending_changed=as_made is not None)
    return _moved(session, held, job_id)


def fail(session: Session, lease_id: str, token: str, outcome: Failure, *, reason: str | None) -> Moved:
    """Give the film up: it cannot be made or was spoilt. Material is spent, the budget is not.

    Raises:
        NotFound: If there is no such lease.
        NotAllowed: If the token is not the lease's.
        IllegalTransition: If the lease is over or the film was not started.
    """
    return _failed(session, _hold(session, lease_id, token, "fail"), "fail", outcome, reason)


def _failed(session: Session, held: _Held, action: str, outcome: Failure, reason: str | None) -> Moved:
    proposal = _move(session, held, action, "failed", raise_fence=True)
    film_id = _film_of(session, held)
    films.move(session, film_id, ["running", "overdue"], "failed", {"outcome": outcome, "note": reason})
    leases.end(session, [held.lease.id], "failed")
    events.append(session, proposal.campaign_id, "film.failed", {"film_id": film_id, "outcome": outcome})
    return _moved(session, held, refill(session, proposal.campaign_id, pending_changed=True))


def release(session: Session, lease_id: str, token: str) -> Moved:
    """Give an unstarted film back to the queue; it is cancelled if its campaign offers no more films.

    Raises:
        NotFound: If there is no such lease.
        NotAllowed: If the token is not the lease's.
        IllegalTransition: If the lease is over or the film was started.
    """
    held = _hold(session, lease_id, token, "release")
    to = _unstarted(session, held.lease.campaign_id)
    proposal = _move(session, held, "release", to, raise_fence=True)
    leases.end(session, [lease_id], "released")
    told = {"proposal_id": proposal.id, "robot": held.lease.robot}
    events.append(session, proposal.campaign_id, "lease.released", told)
    return _moved(session, held, refill(session, proposal.campaign_id, pending_changed=True))


def resolve(
    session: Session,
    proposal_id: str,
    outcome: Outcome | Literal["running"],
    *,
    compositions: Sequence[Mapping[str, float]] | None,
    note: str | None,
) -> Moved:
    """Say in the place of a silent robot what came of its overdue film.

    Args:
        session: The open transaction, with the campaign's lock.
        proposal_id: Of a film that is overdue.
        outcome: As in `complete`; or `running`: the film is still being made, and the lease runs anew.
        compositions: As in `complete`.
        note: What a person should know.

    Raises:
        IllegalTransition: If the film is not overdue.
        InvalidInput: If the compositions do not fit the film or the campaign.
    """
    proposal = proposals.get(session, proposal_id)
    lease = leases.live_for(session, proposal_id)
    if proposal.state != "overdue" or lease is None:
        raise IllegalTransition("proposal", proposal_id, proposal.state, "resolve", [])
    held = _Held(lease, proposal, campaigns.config(session, proposal.campaign_id, proposal.config_revision))
    match outcome:
        case "running":
            return _resumed(session, held, "resolve")
        case "ok" | "partial":
            return _completed(session, held, "resolve", outcome=outcome, compositions=compositions, note=note)
        case _:
            return _failed(session, held, "resolve", outcome, note)


def expire_lapsed(session: Session, campaign_id: str) -> int:
    """Take note of leases whose time is over, by the database's clock; return how many there were.

    A film that was not started goes back to the queue under a higher fence, or is cancelled if its campaign offers no
    more films. One in the making becomes overdue and keeps its lease: material is spent, so no other robot may repeat
    it, and only its own can say what came of it.
    """
    lock_campaign(session, campaign_id)
    to = _unstarted(session, campaign_id)
    unstarted = leases.lapsed(session, campaign_id, "leased")
    for lease, proposal in unstarted:
        proposals.move(session, proposal.id, ["leased"], to, fence=lease.fence, raise_fence=True)
        told = {"lease_id": lease.id, "proposal_id": proposal.id, "robot": lease.robot}
        events.append(session, campaign_id, "lease.expired", told)
    leases.end(session, [lease.id for lease, _ in unstarted], "expired")
    in_the_making = leases.lapsed(session, campaign_id, "running")
    for lease, proposal in in_the_making:
        proposals.move(session, proposal.id, ["running"], "overdue", fence=lease.fence)
        film_id = proposals.film_id(session, proposal.id)
        if film_id is not None:
            films.move(session, film_id, ["running"], "overdue")
        events.append(session, campaign_id, "film.overdue", {"film_id": film_id, "robot": lease.robot})
    return len(unstarted) + len(in_the_making)


def lease_seen(row: LeaseRow) -> Lease:
    """A row as its robot sees it."""
    return Lease(id=row.id, token=row.token, fence=row.fence, robot=row.robot, expires_at=row.expires_at)


def _hold(session: Session, lease_id: str, token: str, action: str) -> _Held:
    lease = leases.get(session, lease_id)
    if not hmac.compare_digest(lease.token.encode(), token.encode()):
        raise NotAllowed(f"the Lease-Token is not that of lease {lease_id}")
    lock_campaign(session, lease.campaign_id)
    lease = leases.get(session, lease_id)
    proposal = proposals.get(session, lease.proposal_id)
    if lease.state != "live":
        raise IllegalTransition("lease", lease_id, lease.state, action, [])
    if proposal.state == "leased" and leases.is_over(session, lease_id):
        raise IllegalTransition("lease", lease_id, "expired", action, [])
    if proposal.state not in _ALLOWED_FROM[action]:
        raise IllegalTransition("proposal", proposal.id, proposal.state, action, _allowed_actions(proposal.state))
    # Under the configuration that it was proposed under: a later one never changes an old proposal.
    return _Held(lease, proposal, campaigns.config(session, lease.campaign_id, proposal.config_revision))


def _unstarted(session: Session, campaign_id: str) -> str:
    """The state of a proposal that its robot gave up before it began."""
    return "cancelled" if campaigns.get(session, campaign_id).state in {"draining", "completed", "aborted"} else "ready"


def _allowed_actions(state: str) -> list[str]:
    return [action for action, allowed_from in _ALLOWED_FROM.items() if state in allowed_from]


def _move(session: Session, held: _Held, action: str, to: str, *, raise_fence: bool = False) -> ProposalRow:
    row = proposals.move(
        session,
        held.proposal.id,
        (_ALLOWED_FROM | _OF_A_PERSON)[action],
        to,
        fence=held.lease.fence,
        raise_fence=raise_fence,
    )
    if row is None:
        state = proposals.get(session, held.proposal.id).state
        raise IllegalTransition("proposal", held.proposal.id, state, action, _allowed_actions(state))
    return row


def _film_of(session: Session, held: _Held) -> str:
    film_id = proposals.film_id(session, held.proposal.id)
    if film_id is None:
        raise RuntimeError(f"proposal {held.proposal.id} is in the making but has no film")
    return film_id


def _moved(session: Session, held: _Held, job_id: str | None = None) -> Moved:
    proposal = reading.get(session, held.proposal.id)
    return Moved(lease_seen(leases.get(session, held.lease.id)), proposal, proposal.film_id, job_id)


def _checked(held: _Held, compositions: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Compositions with every element of the campaign, or every violation at once."""
    elements: list[str] = held.config.problem["space"]["elements"]
    devices = len(held.proposal.film["devices"])
    if len(compositions) != devices:
        message = f"{len(compositions)} compositions were given for {devices} devices"
        raise InvalidInput(message, [Violation("/compositions", message)])
    found: list[Violation] = []
    for k, given in enumerate(compositions):
        unknown = sorted(set(given) - set(elements))
        if unknown:
            message = f"{', '.join(unknown)}: not among the campaign's elements {', '.join(elements)}"
            found.append(Violation(f"/compositions/{k}", message, row=k))
        total = math.fsum(given.values())
        if abs(total - 1.0) > SUM_TOLERANCE:
            message = f"fractions must sum to 1 within {SUM_TOLERANCE:g}, the sum is {total:.9g}"
            found.append(Violation(f"/compositions/{k}", message, row=k))
    if found:
        raise InvalidInput(f"{len(found)} composition(s) are wrong; nothing was stored", found)
    return [{e: given.get(e, 0.0) for e in elements} for given in compositions]


def _keep_as_made(session: Session, held: _Held, film_id: str, as_made: Sequence[dict[str, float]]) -> int | None:
    """Store compositions as made; the number of the new revision if readings of the film exist already.

    Without readings no snapshot holds anything of this film, so the compositions may count from the revision in force.
    """
    campaign_id = held.lease.campaign_id
    drawn = draw_revision(session, campaign_id, "as_made", film_id) if films.has_readings(session, film_id) else None
    counts_from = campaigns.get(session, campaign_id).revision if drawn is None else drawn
    positions = {d["index"]: d["position"] for d in held.proposal.film["devices"]}
    films.add_compositions(session, film_id, positions, dict(enumerate(as_made)), kind="as_made", revision=counts_from)
    return drawn


def _close_if_measured(session: Session, held: _Held, film_id: str) -> None:
    """Readings may have come before the robot's report."""
    problem = held.config.problem
    properties = [p["property"] for p in (*problem["objectives"], *problem.get("outcomes", ()))]
    for settled in films.settle(session, [film_id], properties):
        told = {"film_id": settled, "proposal_id": held.proposal.id}
        events.append(session, held.lease.campaign_id, "film.measured", told)
