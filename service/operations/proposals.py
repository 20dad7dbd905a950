"""Proposals: read the queue, and preview what a claim would give. Nothing here changes anything."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.errors import NotFound
from service.store import campaigns, decisions, leases, proposals, retractions
from service.store.tables import ProposalRow


@dataclass(frozen=True)
class Proposal:
    """A film promised to the robots, with its reasons and its provenance."""

    id: str
    campaign_id: str
    state: str
    rank: int
    fence: int
    film: dict[str, Any]
    gain: float | None
    reason: str
    source: str
    cost: float | None
    alternatives: list[Any]
    pairs: list[Any]
    provenance: dict[str, Any]
    film_id: str | None
    stale: bool
    """Whether it waits or was claimed while the dataset is ahead of what it was chosen from."""
    rests_on_retracted: bool
    """Whether it was chosen from readings that are retracted now."""
    priority: int
    """Above 0 if a person wants it made."""
    created_at: datetime


def seen(
    row: ProposalRow, film_id: str | None, newest_revision: int, resting: Collection[int] = frozenset()
) -> Proposal:
    """A row as the world sees it.

    Args:
        row: The row.
        film_id: Its film, if its making was started.
        newest_revision: Of the campaign's dataset.
        resting: Revisions at which a reading counted that is retracted now.
    """
    return Proposal(
        id=row.id,
        campaign_id=row.campaign_id,
        state=row.state,
        rank=row.rank,
        fence=row.fence,
        film=row.film,
        gain=row.gain,
        reason=row.reason,
        source=row.source,
        cost=row.cost,
        alternatives=row.alternatives,
        pairs=row.pairs,
        provenance=row.provenance,
        film_id=film_id,
        stale=row.state in {"ready", "leased"} and row.revision < newest_revision,
        rests_on_retracted=row.source != "person" and row.revision in resting,
        priority=row.priority,
        created_at=row.created_at,
    )


def get(session: Session, proposal_id: str) -> Proposal:
    """One proposal.

    Raises:
        NotFound: If there is none of this id.
    """
    row = proposals.get(session, proposal_id)
    resting = retractions.resting_on_retracted(session, row.campaign_id, [row.revision])
    newest = campaigns.get(session, row.campaign_id).revision
    return seen(row, proposals.film_id(session, row.id), newest, resting)


def page(session: Session, campaign_id: str, state: str | None, after: str | None, limit: int) -> list[Proposal]:
    """The first `limit` proposals of a campaign after the id `after`, oldest first.

    Raises:
        NotFound: If there is no such campaign.
    """
    newest = campaigns.get(session, campaign_id).revision
    rows = proposals.page(session, campaign_id, state, after, limit)
    resting = retractions.resting_on_retracted(session, campaign_id, {row.revision for row, _ in rows})
    return [seen(row, film_id, newest, resting) for row, film_id in rows]


def inputs(session: Session, proposal_id: str) -> dict[str, Any]:
    """What else than dataset, configuration and model a proposal was computed from.

    Raises:
        NotFound: If there is no such proposal, or none of it was kept: a person asked for the film, or it is too old.
    """
    row = proposals.get(session, proposal_id)
    kept = None if row.job_id is None else decisions.inputs(session, row.job_id)
    if kept is None:
        raise NotFound("inputs of a decision kept for proposal", proposal_id)
    return kept


def upcoming(session: Session, campaign_id: str, robot: str | None) -> Proposal | None:
    """What the next claim would give: the robot's own leased proposal, else the head of the queue; None if empty.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaign = campaigns.get(session, campaign_id)
    held = leases.live_of(session, campaign_id, robot) if robot is not None else None
    if held is not None:
        return get(session, held.proposal_id)
    row = proposals.first_ready(session, campaign_id, lock=False) if campaign.state == "active" else None
    return None if row is None else seen(row, None, campaign.revision)
