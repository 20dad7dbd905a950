"""Retractions, the readings they cover, and which readings count at a revision."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, insert, literal, or_, select, text, update
from sqlalchemy.orm import Session, aliased

from service.store import prior_data
from service.store.campaigns import FRESH
from service.store.rows import after_id, current
from service.store.tables import (
    CompositionReadingRow,
    FilmRow,
    InstrumentRow,
    MeasurementRow,
    RetractedCompositionRow,
    RetractedReadingRow,
    RetractionRow,
)

COVERING_S = 600
"""Seconds that a retraction may take: a million readings take longer than any other statement."""


def counts_at(revision: int) -> ColumnElement[bool]:
    """Whether no retraction that is in force at a revision covers the measurement of the enclosing query."""
    return ~_reading_covered(_in_force_at(revision, RetractionRow))


def counts_now() -> ColumnElement[bool]:
    """Whether no retraction that is in force covers the measurement of the enclosing query."""
    return ~_reading_covered(RetractionRow.reversed_revision.is_(None))


def counts_now_all(campaign_id: str) -> ColumnElement[bool]:
    """The same for a query that reads a whole campaign: what is covered is looked up once, not reading by reading."""
    covered = (
        select(RetractedReadingRow.measurement_id)
        .join(RetractionRow, RetractionRow.id == RetractedReadingRow.retraction_id)
        .where(RetractionRow.campaign_id == campaign_id, RetractionRow.reversed_revision.is_(None))
    )
    return MeasurementRow.id.not_in(covered)


def composition_counts_at(revision: int) -> ColumnElement[bool]:
    """Whether no retraction that is in force at a revision covers the composition of the enclosing query."""
    return ~_composition_covered(_in_force_at(revision, RetractionRow))


def composition_counts_now() -> ColumnElement[bool]:
    """Whether no retraction that is in force covers the composition of the enclosing query."""
    return ~_composition_covered(RetractionRow.reversed_revision.is_(None))


def _in_force_at(revision: int, row: type[RetractionRow]) -> ColumnElement[bool]:
    until = or_(row.reversed_revision.is_(None), row.reversed_revision > revision)
    return and_(row.revision <= revision, until)


def _reading_covered(in_force: ColumnElement[bool]) -> ColumnElement[bool]:
    return (
        select(literal(1))
        .select_from(RetractedReadingRow)
        .join(RetractionRow, RetractionRow.id == RetractedReadingRow.retraction_id)
        .where(RetractedReadingRow.measurement_id == MeasurementRow.id, in_force)
        .exists()
    )


def _composition_covered(in_force: ColumnElement[bool]) -> ColumnElement[bool]:
    return (
        select(literal(1))
        .select_from(RetractedCompositionRow)
        .join(RetractionRow, RetractionRow.id == RetractedCompositionRow.retraction_id)
        .where(RetractedCompositionRow.composition_id == CompositionReadingRow.id, in_force)
        .exists()
    )


def store(session: Session, values: dict[str, Any]) -> None:
    """Insert one retraction, which covers nothing yet."""
    session.execute(insert(RetractionRow).values(values))


def cover(session: Session, retraction_id: str, campaign_id: str, described: ColumnElement[bool]) -> int:
    """Let a retraction cover every reading of the campaign that is described; return how many there are."""
    session.execute(text(f"set local statement_timeout = '{COVERING_S}s'"))
    readings = select(literal(retraction_id), MeasurementRow.id).where(
        MeasurementRow.campaign_id == campaign_id, described
    )
    rows = insert(RetractedReadingRow).from_select(["retraction_id", "measurement_id"], readings)
    inserted = rows.returning(RetractedReadingRow.measurement_id).cte()
    return session.execute(select(func.count()).select_from(inserted)).scalar_one()


def cover_compositions(session: Session, retraction_id: str, campaign_id: str, described: ColumnElement[bool]) -> int:
    """Let a retraction cover every measured composition of the campaign that is described; return how many."""
    row = CompositionReadingRow
    found = (
        select(literal(retraction_id), row.id)
        .join(FilmRow, FilmRow.id == row.film_id)
        .where(FilmRow.campaign_id == campaign_id, row.kind == "measured", described)
    )
    rows = insert(RetractedCompositionRow).from_select(["retraction_id", "composition_id"], found)
    inserted = rows.returning(RetractedCompositionRow.composition_id).cte()
    return session.execute(select(func.count()).select_from(inserted)).scalar_one()


def by_ids(measurement_ids: Collection[str]) -> ColumnElement[bool]:
    """Readings by their ids."""
    return MeasurementRow.id.in_(measurement_ids)


Described = type[MeasurementRow] | type[CompositionReadingRow]
"""What a film or an instrument and a window describe: readings, and compositions as measured."""


def by_film(row: Described, film_id: str) -> ColumnElement[bool]:
    """Everything that was read of a film."""
    return row.film_id == film_id


def by_window(row: Described, instrument_id: str, begin: datetime | None, end: datetime | None) -> ColumnElement[bool]:
    """What an instrument read from `begin` until before `end`."""
    described: ColumnElement[bool] = row.instrument_id == instrument_id
    if begin is not None:
        described &= row.measured_at >= begin
    if end is not None:
        described &= row.measured_at < end
    return described


def unknown_ids(session: Session, campaign_id: str, measurement_ids: Sequence[str]) -> list[str]:
    """Those of the ids that are of no reading of the campaign, in the order given."""
    here = select(MeasurementRow.id).where(MeasurementRow.campaign_id == campaign_id, by_ids(measurement_ids))
    known = set(session.scalars(here))
    return [i for i in measurement_ids if i not in known]


def get(session: Session, retraction_id: str) -> RetractionRow:
    """One retraction as it is now.

    Raises:
        NotFound: If there is none of this id.
    """
    return current(session, RetractionRow, retraction_id, "retraction")


def page(session: Session, campaign_id: str, after: str | None, limit: int) -> Sequence[RetractionRow]:
    """Retractions of a campaign with an id above `after`."""
    query = select(RetractionRow).where(RetractionRow.campaign_id == campaign_id)
    return session.scalars(after_id(query, RetractionRow.id, after, limit)).all()


def standing(session: Session, campaign_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Retractions in force that cover what arrives later, too: their ids, and what they cover."""
    found = session.connection().execute(_STANDING, {"campaign_id": campaign_id})
    return [(row[0], row[1]) for row in found]


def stands() -> ColumnElement[bool]:
    """Whether the retraction of the enclosing query is in force and covers what arrives later, too."""
    return and_(RetractionRow.reversed_revision.is_(None), RetractionRow.also_later)


_STANDING = select(RetractionRow.id, RetractionRow.what).where(
    RetractionRow.campaign_id == bindparam("campaign_id"), stands()
)


def covered(session: Session, retraction_ids: Collection[str]) -> dict[str, tuple[int, int]]:
    """How many readings and how many measured compositions each retraction covers."""
    counted = []
    for row in (RetractedReadingRow, RetractedCompositionRow):
        query = select(row.retraction_id, func.count()).where(row.retraction_id.in_(retraction_ids))
        counted.append({found[0]: found[1] for found in session.execute(query.group_by(row.retraction_id))})
    return {i: (counted[0].get(i, 0), counted[1].get(i, 0)) for i in retraction_ids}


def not_counting(session: Session, campaign_id: str, revision: int) -> int:
    """How many readings that arrived up to a revision do not count there."""
    here = (MeasurementRow.campaign_id == campaign_id) & (MeasurementRow.revision <= revision)
    query = select(func.count()).select_from(MeasurementRow).where(here, ~counts_at(revision))
    return session.execute(query).scalar_one()


def readings(
    session: Session, retraction_id: str, after: str | None, limit: int
) -> Sequence[tuple[MeasurementRow, str]]:
    """Readings that a retraction covers with an id above `after`, each with the name of its instrument."""
    query = (
        select(MeasurementRow, InstrumentRow.name)
        .join(RetractedReadingRow, RetractedReadingRow.measurement_id == MeasurementRow.id)
        .join(InstrumentRow, InstrumentRow.id == MeasurementRow.instrument_id)
        .where(RetractedReadingRow.retraction_id == retraction_id)
    )
    return [
        (row[0], row[1]) for row in session.execute(after_id(query, RetractedReadingRow.measurement_id, after, limit))
    ]


def reverse(session: Session, retraction_id: str, revision: int, reason: str) -> bool:
    """Let a retraction be in force until before `revision`; False if it was reversed before."""
    change = (
        update(RetractionRow)
        .where(RetractionRow.id == retraction_id, RetractionRow.reversed_revision.is_(None))
        .values(reversed_revision=revision, reversal_reason=reason, reversed_at=func.now())
        .returning(RetractionRow.id)
    )
    return session.execute(change, execution_options=FRESH).one_or_none() is not None


def resting_on_retracted(session: Session, campaign_id: str, revisions: Collection[int]) -> set[int]:
    """Those of the revisions at which something counted that does not now: a reading, a composition, prior data."""
    in_force = _last_in_force(session, campaign_id)
    asked = {r for r in revisions if r < in_force}
    return prior_data.resting_on_withdrawn(session, campaign_id, revisions) | {
        r
        for r in asked
        if session.execute(_lost_reading(campaign_id, r).union_all(_lost_composition(campaign_id, r)).limit(1)).first()
    }


def _lost_reading(campaign_id: str, revision: int) -> Select[int]:
    """One for each reading that counted at a revision and does not now."""
    before, cover_before = aliased(RetractionRow), aliased(RetractedReadingRow)
    gone_before = (
        select(literal(1))
        .select_from(cover_before)
        .join(before, before.id == cover_before.retraction_id)
        .where(cover_before.measurement_id == MeasurementRow.id, _in_force_at(revision, before))
        .exists()
    )
    return (
        select(literal(1))
        .select_from(RetractionRow)
        .join(RetractedReadingRow, RetractedReadingRow.retraction_id == RetractionRow.id)
        .join(MeasurementRow, MeasurementRow.id == RetractedReadingRow.measurement_id)
        .where(RetractionRow.campaign_id == campaign_id, RetractionRow.reversed_revision.is_(None))
        .where(RetractionRow.revision > revision, MeasurementRow.revision <= revision, ~gone_before)
    )


def _lost_composition(campaign_id: str, revision: int) -> Select[int]:
    """One for each measured composition that counted at a revision and does not now."""
    before, cover_before = aliased(RetractionRow), aliased(RetractedCompositionRow)
    gone_before = (
        select(literal(1))
        .select_from(cover_before)
        .join(before, before.id == cover_before.retraction_id)
        .where(cover_before.composition_id == CompositionReadingRow.id, _in_force_at(revision, before))
        .exists()
    )
    return (
        select(literal(1))
        .select_from(RetractionRow)
        .join(RetractedCompositionRow, RetractedCompositionRow.retraction_id == RetractionRow.id)
        .join(CompositionReadingRow, CompositionReadingRow.id == RetractedCompositionRow.composition_id)
        .where(RetractionRow.campaign_id == campaign_id, RetractionRow.reversed_revision.is_(None))
        .where(RetractionRow.revision > revision, CompositionReadingRow.revision <= revision, ~gone_before)
    )


def _last_in_force(session: Session, campaign_id: str) -> int:
    """Revision of the newest retraction in force; 0 if there is none, and then no past can rest on one."""
    here = (RetractionRow.campaign_id == campaign_id) & RetractionRow.reversed_revision.is_(None)
    return session.execute(select(func.coalesce(func.max(RetractionRow.revision), 0)).where(here)).scalar_one()
