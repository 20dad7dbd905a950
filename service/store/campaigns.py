"""Campaigns and their numbered configurations."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.orm import Session

from service.store.ids import new_id
from service.store.rows import after_id, current
from service.store.tables import CampaignConfigRow, CampaignRow, FilmRow, RevisionRow

FRESH = {"populate_existing": True, "synchronize_session": False}
"""What is read after a guarded UPDATE comes from the database, never from the session's memory."""


def create(session: Session, name: str, config: dict[str, Any], *, cloned_from: dict[str, Any] | None = None) -> str:
    """Insert a draft campaign with its first configuration and its empty dataset, revision 0; return its id."""
    campaign_id = new_id("cmp")
    session.execute(insert(CampaignRow).values(id=campaign_id, name=name, cloned_from=cloned_from))
    session.execute(insert(CampaignConfigRow).values(campaign_id=campaign_id, number=1, **config))
    session.execute(insert(RevisionRow).values(campaign_id=campaign_id, number=0, cause="created"))
    return campaign_id


def get(session: Session, campaign_id: str) -> CampaignRow:
    """One campaign as it is now.

    Raises:
        NotFound: If there is none of this id.
    """
    return current(session, CampaignRow, campaign_id, "campaign")


def config(session: Session, campaign_id: str, number: int) -> CampaignConfigRow:
    """One numbered configuration; it must exist. It never changes, so a session reads it once."""
    return session.get_one(CampaignConfigRow, (campaign_id, number))


def configs(session: Session, campaign_id: str, after: int, limit: int) -> Sequence[CampaignConfigRow]:
    """The first `limit` configurations with numbers above `after`, in order."""
    here = (CampaignConfigRow.campaign_id == campaign_id) & (CampaignConfigRow.number > after)
    query = select(CampaignConfigRow).where(here).order_by(CampaignConfigRow.number).limit(limit)
    return session.scalars(query).all()


def add_config(session: Session, campaign_id: str, values: dict[str, Any]) -> int:
    """Put the campaign's next configuration in force; return its number. Needs the campaign's lock."""
    raised = (
        update(CampaignRow)
        .where(CampaignRow.id == campaign_id)
        .values(config_revision=CampaignRow.config_revision + 1, updated_at=func.now())
        .returning(CampaignRow.config_revision)
    )
    number: int = session.execute(raised, execution_options=FRESH).scalar_one()
    session.execute(insert(CampaignConfigRow).values(campaign_id=campaign_id, number=number, **values))
    return number


def page(
    session: Session, after: str | None, limit: int, *, among: Collection[str] | None = None
) -> Sequence[tuple[CampaignRow, CampaignConfigRow]]:
    """Campaigns with an id above `after`, each with the configuration in force; all, or those among some ids."""
    in_force = (CampaignConfigRow.campaign_id == CampaignRow.id) & (
        CampaignConfigRow.number == CampaignRow.config_revision
    )
    query = select(CampaignRow, CampaignConfigRow).join(CampaignConfigRow, in_force)
    if among is not None:
        query = query.where(CampaignRow.id.in_(among))
    return [(row[0], row[1]) for row in session.execute(after_id(query, CampaignRow.id, after, limit))]


def films_made(session: Session, campaign_ids: Collection[str]) -> dict[str, int]:
    """Films that were made, measured or not, by campaign."""
    query = (
        select(FilmRow.campaign_id, func.count())
        .where(FilmRow.campaign_id.in_(campaign_ids), FilmRow.state.in_(("made", "measured")))
        .group_by(FilmRow.campaign_id)
    )
    counted = {row[0]: row[1] for row in session.execute(query)}
    return {campaign_id: counted.get(campaign_id, 0) for campaign_id in campaign_ids}


def move(session: Session, campaign_id: str, allowed_from: Collection[str], to: str) -> bool:
    """Change the state if it is one of `allowed_from`; say whether it was."""
    moved = (
        update(CampaignRow)
        .where(CampaignRow.id == campaign_id, CampaignRow.state.in_(allowed_from))
        .values(state=to, updated_at=func.now())
        .returning(CampaignRow.id)
    )
    return session.execute(moved, execution_options=FRESH).one_or_none() is not None


def advance_decision(session: Session, campaign_id: str, revision: int) -> bool:
    """Let a decision made at `revision` become the current one, unless a newer one is; say whether it did."""
    not_older = or_(CampaignRow.decided_revision.is_(None), CampaignRow.decided_revision <= revision)
    moved = (
        update(CampaignRow)
        .where(CampaignRow.id == campaign_id, not_older)
        .values(decided_revision=revision)
        .returning(CampaignRow.id)
    )
    return session.execute(moved, execution_options=FRESH).one_or_none() is not None


def say_exhausted(session: Session, campaign_id: str, *, exhausted: bool) -> bool:
    """Note whether the budget leaves room for another film; say whether that is news."""
    changed = (
        update(CampaignRow)
        .where(CampaignRow.id == campaign_id, CampaignRow.exhausted.is_not(exhausted))
        .values(exhausted=exhausted)
        .returning(CampaignRow.id)
    )
    return session.execute(changed, execution_options=FRESH).one_or_none() is not None
