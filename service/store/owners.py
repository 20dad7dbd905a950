"""Which campaign a thing belongs to. What belongs to one stays there, so an answer is true for ever."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ScalarSelect, Select, Text, bindparam, select
from sqlalchemy.orm import Session

from service.store.tables import (
    AttachmentRow,
    CalibrationRow,
    FilmRow,
    GenerationRow,
    InstrumentRow,
    LeaseRow,
    ModelVersionRow,
    PriorDataRow,
    ProposalRow,
    ReplayRow,
    RetractionRow,
    SampleRow,
    table_of,
)

_TABLES = {
    "attachment": AttachmentRow,
    "calibration": CalibrationRow,
    "film": FilmRow,
    "instrument": InstrumentRow,
    "lease": LeaseRow,
    "model_version": ModelVersionRow,
    "prior_data": PriorDataRow,
    "proposal": ProposalRow,
    "generation": GenerationRow,
    "replay": ReplayRow,
    "retraction": RetractionRow,
    "sample": SampleRow,
}
"""By noun, as addresses name it."""
IN_CAMPAIGNS = frozenset(_TABLES)


def campaign_of(session: Session, noun: str, name: str) -> str | None:
    """Id of the campaign of a thing; none if there is no such thing.

    Raises:
        KeyError: If there is no such noun.
    """
    found: str | None = session.connection().execute(_QUERIES[noun], {"subject": name}).scalar_one_or_none()
    return found


def campaign_of_subject(noun: str) -> ScalarSelect[Any]:
    """The same within another statement, whose parameter `subject` is the id."""
    return _QUERIES[noun].scalar_subquery()


def _query(noun: str) -> Select[tuple[Any]]:
    table = table_of(_TABLES[noun])
    return select(table.c.campaign_id).where(table.c.id == bindparam("subject", type_=Text))


_QUERIES: Mapping[str, Select[tuple[Any]]] = {noun: _query(noun) for noun in _TABLES}
