"""Retractions, the readings they cover, and which readings count at a revision."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session, aliased

from service.errors import NotFound
from service.store.calibrations import carries
from service.store.campaigns import FRESH
from service.store.tables import InstrumentRow, MeasurementRow, RetractedReadingRow, RetractionRow


def counts_at(revision: int) -> ColumnElement[bool]:
    """Whether no retraction that is in force at a revision covers the measurement of the enclosing query."""
    until = or_(RetractionRow.reversed_revision.is_(None), RetractionRow.reversed_revision > revision)
    return ~_covered(and_(RetractionRow.revision <= revision, until))


def counts_now() -> ColumnElement[bool]:
    """Whether no retraction that is in force covers the measurement of the enclosing query."""
    return ~_covered(RetractionRow.reversed_revision.is_(None))


def _covered(in_force: ColumnElement[bool]) -> ColumnElement[bool]:
    return (
        select(literal(1))
        .select_from(RetractedReadingRow)
        .join(RetractionRow, RetractionRow.id == RetractedReadingRow.retraction_id)
        .where(RetractedReadingRow.measurement_id == MeasurementRow.id, in_force)
        .exists()
    )


def store(session: Session, values: dict[str, Any]) -> None:
    """Insert one retraction, which covers nothing yet."""
    session.execute(insert(RetractionRow).values(values))


def cover(session: Session, retraction_id: str, campaign_id: str, described: ColumnElement[bool]) -> int:
    """Let a retraction cover every reading of the campaign that is described; return how many there are."""
    readings = select(literal(retraction_id), MeasurementRow.id).where(
        MeasurementRow.campaign_id == campaign_id, described
    )
    rows = insert(RetractedReadingRow).from_select(["retraction_id", "measurement_id"], readings)
    inserted = rows.returning(RetractedReadingRow.measurement_id).cte()
    return session.execute(select(func.count()).select_from(inserted)).scalar_one()


def by_ids(measurement_ids: Collection[str]) -> ColumnElement[bool]:
    """Readings by their ids."""
    return MeasurementRow.id.in_(measurement_ids)


def by_film(film_id: str) -> ColumnElement[bool]:
    """Every reading of a film."""
    return MeasurementRow.film_id == film_id


def by_window(instrument_id: str, begin: datetime | None, end: datetime | None) -> ColumnElement[bool]:
    """What an instrument read from `begin` until before `end`."""
    described = MeasurementRow.instrument_id == instrument_id
    if begin is not None:
        described &= MeasurementRow.measured_at >= begin
    if end is not None:
        described &= MeasurementRow.measured_at < end
    return described


def by_calibration(calibration_id: str) -> ColumnElement[bool]:
    """What was read under a calibration, whether the reading or the calibration came first."""
    return carries(calibration_id)


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
    query = select(RetractionRow).where(RetractionRow.id == retraction_id).execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFound("retraction", retraction_id)
    return row


def page(session: Session, campaign_id: str, after: str | None, limit: int) -> Sequence[RetractionRow]:
    """Retractions of a campaign with an id above `after`."""
    query = select(RetractionRow).where(RetractionRow.campaign_id == campaign_id).order_by(RetractionRow.id)
    if after is not None:
        query = query.where(RetractionRow.id > after)
    return session.scalars(query.limit(limit)).all()


def standing(session: Session, campaign_id: str) -> Sequence[RetractionRow]:
    """Retractions in force that cover what arrives later, too."""
    here = (RetractionRow.campaign_id == campaign_id) & RetractionRow.reversed_revision.is_(None)
    return session.scalars(select(RetractionRow).where(here, RetractionRow.also_later)).all()


def covered(session: Session, retraction_ids: Collection[str]) -> dict[str, int]:
    """How many readings each retraction covers."""
    query = (
        select(RetractedReadingRow.retraction_id, func.count())
        .where(RetractedReadingRow.retraction_id.in_(retraction_ids))
        .group_by(RetractedReadingRow.retraction_id)
    )
    counted = {row[0]: row[1] for row in session.execute(query)}
    return {i: counted.get(i, 0) for i in retraction_ids}


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
        .order_by(RetractedReadingRow.measurement_id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(RetractedReadingRow.measurement_id > after)
    return [(row[0], row[1]) for row in session.execute(query)]


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
    """Those of the revisions at which a reading counted that is retracted now."""
    before = aliased(RetractionRow)
    cover_before = aliased(RetractedReadingRow)

    def retracted_at(revision: int) -> ColumnElement[bool]:
        until = or_(before.reversed_revision.is_(None), before.reversed_revision > revision)
        return (
            select(literal(1))
            .select_from(cover_before)
            .join(before, before.id == cover_before.retraction_id)
            .where(cover_before.measurement_id == MeasurementRow.id, before.revision <= revision, until)
            .exists()
        )

    found: set[int] = set()
    in_force = _last_in_force(session, campaign_id)
    for revision in {r for r in revisions if r < in_force}:
        query = (
            select(literal(1))
            .select_from(RetractionRow)
            .join(RetractedReadingRow, RetractedReadingRow.retraction_id == RetractionRow.id)
            .join(MeasurementRow, MeasurementRow.id == RetractedReadingRow.measurement_id)
            .where(RetractionRow.campaign_id == campaign_id, RetractionRow.reversed_revision.is_(None))
            .where(RetractionRow.revision > revision, MeasurementRow.revision <= revision, ~retracted_at(revision))
            .limit(1)
        )
        if session.execute(query).first() is not None:
            found.add(revision)
    return found


def _last_in_force(session: Session, campaign_id: str) -> int:
    """Revision of the newest retraction in force; 0 if there is none, and then no past can rest on one."""
    here = (RetractionRow.campaign_id == campaign_id) & RetractionRow.reversed_revision.is_(None)
    return session.execute(select(func.coalesce(func.max(RetractionRow.revision), 0)).where(here)).scalar_one()
