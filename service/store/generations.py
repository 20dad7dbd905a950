"""Queries on generations: each is an errand of its own, so that no decision waits for one."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from service.store.ids import new_id
from service.store.rows import after_id, current
from service.store.tables import GenerationRow


def store(session: Session, campaign_id: str, asked: dict[str, Any]) -> str:
    """Insert a wish; return its id."""
    generation_id = new_id("gen")
    session.execute(insert(GenerationRow).values(id=generation_id, campaign_id=campaign_id, asked=asked))
    return generation_id


def get(session: Session, generation_id: str) -> GenerationRow:
    """One generation as it is now.

    Raises:
        NotFound: If there is none of this id.
    """
    return current(session, GenerationRow, generation_id, "generation")


def page(session: Session, campaign_id: str, after: str | None, limit: int) -> Sequence[GenerationRow]:
    """Generations of a campaign with an id above `after`."""
    query = select(GenerationRow).where(GenerationRow.campaign_id == campaign_id)
    return session.scalars(after_id(query, GenerationRow.id, after, limit)).all()
