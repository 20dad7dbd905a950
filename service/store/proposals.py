"""Proposals: the queue of films that robots may claim, and how far each has come."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, insert, or_, select, true, update
from sqlalchemy.orm import Session

from service.store.campaigns import FRESH
from service.store.rows import after_id, current
from service.store.tables import OUTSTANDING, CampaignRow, FilmRow, ProposalRow

SPENT = (*OUTSTANDING, "measured")
"""States that use up the budget: the film is on its way or was made."""
UNWANTED: ColumnElement[bool] = ProposalRow.priority == 0
"""Proposals that no person asked for or put first: the next decision supersedes them."""


UNWISHED = -1
"""Priority of a proposal that a person cancelled."""


def chosen_from(revisions: Collection[int]) -> ColumnElement[bool]:
    """Proposals that a decision on one of these revisions of the dataset chose."""
    return ProposalRow.revision.in_(revisions) & (ProposalRow.source != "person")


def get(session: Session, proposal_id: str) -> ProposalRow:
    """One proposal as it is now.

    Raises:
        NotFound: If there is none of this id.
    """
    return current(session, ProposalRow, proposal_id, "proposal")


def page(
    session: Session, campaign_id: str, state: str | None, after: str | None, limit: int
) -> Sequence[tuple[ProposalRow, str | None]]:
    """Proposals with an id above `after`, each with the id of its film if its making was started."""
    query = (
        select(ProposalRow, FilmRow.id)
        .outerjoin(FilmRow, FilmRow.proposal_id == ProposalRow.id)
        .where(ProposalRow.campaign_id == campaign_id)
    )
    if state is not None:
        query = query.where(ProposalRow.state == state)
    return [(row[0], row[1]) for row in session.execute(after_id(query, ProposalRow.id, after, limit))]


def film_id(session: Session, proposal_id: str) -> str | None:
    """Id of the film that was started for a proposal."""
    return session.scalars(select(FilmRow.id).where(FilmRow.proposal_id == proposal_id)).one_or_none()


def first_ready(session: Session, campaign_id: str, *, lock: bool) -> ProposalRow | None:
    """Head of the queue: what a person wants, the newest decision, then by rank.

    Args:
        session: The open transaction.
        campaign_id: The campaign.
        lock: Keep the row for this transaction and pass over rows that another transaction keeps.
    """
    query = (
        select(ProposalRow)
        .where(ProposalRow.campaign_id == campaign_id, ProposalRow.state == "ready")
        .order_by(ProposalRow.priority.desc(), ProposalRow.revision.desc(), ProposalRow.rank, ProposalRow.id)
        .limit(1)
        .execution_options(populate_existing=True)
    )
    if lock:
        # FOR NO KEY UPDATE: rows that only refer to the proposal may be inserted meanwhile.
        query = query.with_for_update(skip_locked=True, key_share=True)
    return session.scalars(query).one_or_none()


def move(
    session: Session,
    proposal_id: str,
    allowed_from: Collection[str],
    to: str,
    *,
    fence: int | None = None,
    raise_fence: bool = False,
) -> ProposalRow | None:
    """Change the state if it is one of `allowed_from` and the fence holds; None if not.

    Args:
        session: The open transaction.
        proposal_id: The proposal.
        allowed_from: States from which the change is legal.
        to: The new state.
        fence: The fence that must hold, if any.
        raise_fence: Whether the change ends what the present fence allows.
    """
    change = (
        update(ProposalRow)
        .where(ProposalRow.id == proposal_id, ProposalRow.state.in_(allowed_from))
        .values(state=to, updated_at=func.now())
        .returning(ProposalRow)
    )
    if fence is not None:
        change = change.where(ProposalRow.fence == fence)
    if raise_fence:
        change = change.values(fence=ProposalRow.fence + 1)
    return session.scalars(change, execution_options=FRESH).one_or_none()


def move_all(session: Session, campaign_id: str, allowed_from: str, to: str) -> None:
    """Change the state of every proposal that is in one; what its fence allowed is over."""
    here = (ProposalRow.campaign_id == campaign_id) & (ProposalRow.state == allowed_from)
    change = update(ProposalRow).where(here).values(state=to, fence=ProposalRow.fence + 1, updated_at=func.now())
    session.execute(change, execution_options=FRESH)


def prioritise(session: Session, proposal_id: str, priority: int) -> None:
    """Give a proposal its place among what people want or do not want."""
    change = update(ProposalRow).where(ProposalRow.id == proposal_id).values(priority=priority, updated_at=func.now())
    session.execute(change, execution_options=FRESH)


def highest_priority(session: Session, campaign_id: str) -> int:
    """Of the queue; 0 if it is empty."""
    here = (ProposalRow.campaign_id == campaign_id) & (ProposalRow.state == "ready")
    return session.execute(select(func.coalesce(func.max(ProposalRow.priority), 0)).where(here)).scalar_one()


def withdraw_ready(
    session: Session, campaign_id: str, to: str, *, among: ColumnElement[bool] | None = None
) -> list[str]:
    """Take ready proposals off the queue, except those that another transaction keeps; return their ids.

    Args:
        session: The open transaction.
        campaign_id: The campaign.
        to: Their new state.
        among: Only those of which this holds: `UNWANTED`, `chosen_from`; all if None.
    """
    waiting = (
        select(ProposalRow.id)
        .where(ProposalRow.campaign_id == campaign_id, ProposalRow.state == "ready")
        .where(true() if among is None else among)
        .with_for_update(skip_locked=True, key_share=True)
    )
    ids = list(session.scalars(waiting))
    change = update(ProposalRow).where(ProposalRow.id.in_(ids), ProposalRow.state == "ready")
    session.execute(change.values(state=to, updated_at=func.now()), execution_options=FRESH)
    return ids


def ready(session: Session, campaign_id: str) -> Sequence[ProposalRow]:
    """The queue, in no order."""
    query = select(ProposalRow).where(ProposalRow.campaign_id == campaign_id, ProposalRow.state == "ready")
    return session.scalars(query.execution_options(populate_existing=True)).all()


def ready_revisions(session: Session, campaign_id: str) -> set[int]:
    """Revisions of the dataset from which ready proposals were chosen."""
    query = select(ProposalRow.revision).where(ProposalRow.campaign_id == campaign_id, ProposalRow.state == "ready")
    return set(session.scalars(query))


def count(
    session: Session, campaign_id: str, states: Collection[str], *, among: ColumnElement[bool] | None = None
) -> int:
    """How many proposals are in one of `states`, of all or of those of which `among` holds."""
    query = select(func.count()).where(ProposalRow.campaign_id == campaign_id, ProposalRow.state.in_(states))
    query = query if among is None else query.where(among)
    return session.execute(query).scalar_one()


def insert_ready(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Put new proposals on the queue."""
    if rows:
        session.execute(insert(ProposalRow), list(rows))


def beside(session: Session, campaign_id: str) -> Sequence[tuple[ProposalRow, str | None]]:
    """Proposals beside which others are chosen, each with the id of its film if its making was started.

    Their films are on their way, are wanted by a person, cannot be made at all, or were cancelled by a person who has
    seen the newest data: else a decision would propose the same again. A film that equipment or operator spoilt is not
    among them: it is worth another attempt.
    """
    wanted = (ProposalRow.state == "ready") & (ProposalRow.priority > 0)
    unwanted = (ProposalRow.priority == UNWISHED) & (ProposalRow.revision == CampaignRow.revision)
    taken = or_(ProposalRow.state.in_(OUTSTANDING), FilmRow.outcome == "infeasible", wanted, unwanted)
    query = (
        select(ProposalRow, FilmRow.id)
        .join(CampaignRow, CampaignRow.id == ProposalRow.campaign_id)
        .outerjoin(FilmRow, FilmRow.proposal_id == ProposalRow.id)
        .where(ProposalRow.campaign_id == campaign_id, taken)
        .order_by(ProposalRow.id)
        .execution_options(populate_existing=True)
    )
    return [(row[0], row[1]) for row in session.execute(query)]
