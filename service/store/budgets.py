"""What a campaign has spent so far."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from service.store.proposals import SPENT
from service.store.tables import FilmRow, LeaseRow, ProposalRow


@dataclass(frozen=True)
class Spent:
    """What was used up, films on their way included."""

    films: int
    devices: int
    hours: float
    """That robots worked on films, failed ones included."""


def spent(session: Session, campaign_id: str, *, promised: bool = False) -> Spent:
    """Count it.

    Args:
        session: The open transaction.
        campaign_id: The campaign.
        promised: Whether a ready film that a person asked for counts as spent, too: no decision may take its place.
    """
    counted: ColumnElement[bool] = ProposalRow.state.in_(SPENT)
    if promised:
        counted = or_(counted, (ProposalRow.state == "ready") & (ProposalRow.priority > 0))
    devices = func.sum(func.jsonb_array_length(ProposalRow.film["devices"]))
    films = select(func.count(), func.coalesce(devices, 0)).where(ProposalRow.campaign_id == campaign_id, counted)
    number, of_devices = session.execute(films).one()
    return Spent(number, int(of_devices), _hours(session, campaign_id))


def _hours(session: Session, campaign_id: str) -> float:
    """From the start of each film to its report; of one that is overdue, until its robot should have reported."""
    until = func.coalesce(FilmRow.completed_at, func.least(func.now(), LeaseRow.expires_at), func.now())
    seconds = func.sum(func.extract("epoch", until - FilmRow.started_at))
    query = (
        select(func.coalesce(seconds, 0))
        .select_from(FilmRow)
        .outerjoin(LeaseRow, (LeaseRow.proposal_id == FilmRow.proposal_id) & (LeaseRow.state == "live"))
        .where(FilmRow.campaign_id == campaign_id)
    )
    return float(session.execute(query).scalar_one()) / 3600.0
