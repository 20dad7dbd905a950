"""Instruments: who reads what. An instrument is registered by a person, or by its first report."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.store.campaigns import FRESH
from service.store.rows import after_id, current
from service.store.tables import InstrumentRow


def get(session: Session, instrument_id: str) -> InstrumentRow:
    """One instrument as it is now.

    Raises:
        NotFound: If there is none of this id.
    """
    return current(session, InstrumentRow, instrument_id, "instrument")


def named(session: Session, campaign_id: str, name: str) -> InstrumentRow | None:
    """The campaign's instrument of this name."""
    here = (InstrumentRow.campaign_id == campaign_id) & (InstrumentRow.name == name)
    return session.scalars(select(InstrumentRow).where(here)).one_or_none()


def page(session: Session, campaign_id: str, after: str | None, limit: int) -> Sequence[InstrumentRow]:
    """Instruments of a campaign with an id above `after`."""
    query = select(InstrumentRow).where(InstrumentRow.campaign_id == campaign_id)
    return session.scalars(after_id(query, InstrumentRow.id, after, limit)).all()


def describe(session: Session, instrument_id: str, said: dict[str, Any]) -> InstrumentRow:
    """Replace what is said of an instrument."""
    change = update(InstrumentRow).where(InstrumentRow.id == instrument_id).values(said).returning(InstrumentRow)
    return session.scalars(change, execution_options=FRESH).one()
