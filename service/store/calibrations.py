"""Calibrations of instruments: which one was in force when something was read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, insert, or_, select
from sqlalchemy.orm import Session, aliased

from service.errors import NotFound
from service.store.ids import new_id
from service.store.rows import after_id
from service.store.statements import Statement
from service.store.tables import CalibrationRow, CompositionReadingRow, MeasurementRow


def store(session: Session, values: dict[str, Any]) -> str:
    """Insert one calibration; return its id."""
    calibration_id = new_id("cal")
    session.execute(insert(CalibrationRow).values(id=calibration_id, **values))
    return calibration_id


def get(session: Session, calibration_id: str) -> CalibrationRow:
    """One calibration.

    Raises:
        NotFound: If there is none of this id.
    """
    row = session.get(CalibrationRow, calibration_id)
    if row is None:
        raise NotFound("calibration", calibration_id)
    return row


def is_of(session: Session, calibration_id: str, campaign_id: str) -> bool:
    """Whether there is a calibration of this id in the campaign."""
    row = session.get(CalibrationRow, calibration_id)
    return row is not None and row.campaign_id == campaign_id


class Validity(NamedTuple):
    """When and for what a calibration holds."""

    id: str
    property: str | None
    """None: for all that its instrument reads."""
    valid_from: datetime
    valid_until: datetime | None


def of_instrument(session: Session, instrument_id: str) -> list[Validity]:
    """Every calibration of an instrument, the latest begun first."""
    return [Validity(*row) for row in _OF_INSTRUMENT.run(session, {"instrument_id": instrument_id})]


_OF_INSTRUMENT = Statement(
    select(CalibrationRow.id, CalibrationRow.property, CalibrationRow.valid_from, CalibrationRow.valid_until)
    .where(CalibrationRow.instrument_id == bindparam("instrument_id"))
    .order_by(CalibrationRow.valid_from.desc(), CalibrationRow.id)
)


def page(session: Session, instrument_id: str, after: str | None, limit: int) -> Sequence[CalibrationRow]:
    """Calibrations of an instrument with an id above `after`."""
    query = select(CalibrationRow).where(CalibrationRow.instrument_id == instrument_id)
    return session.scalars(after_id(query, CalibrationRow.id, after, limit)).all()


def in_force(calibrations: Sequence[Validity], property_name: str, at: datetime) -> str | None:
    """Id of the calibration under which a property was read: the latest begun of those that apply, unless it has ended.

    Args:
        calibrations: Of the instrument, the latest begun first.
        property_name: What was read.
        at: When.
    """
    for row in calibrations:
        if row.valid_from <= at and row.property in {None, property_name}:
            return row.id if row.valid_until is None or at < row.valid_until else None
    return None


def carried_by_composition(calibration_id: str) -> ColumnElement[bool]:
    """Whether the composition of the enclosing query was measured under a calibration of all properties."""
    this, later = aliased(CalibrationRow), aliased(CalibrationRow)
    time = CompositionReadingRow.measured_at

    def applies(row: type[CalibrationRow]) -> ColumnElement[bool]:
        of_it = row.instrument_id == CompositionReadingRow.instrument_id
        return and_(of_it, row.property.is_(None), row.valid_from <= time)

    begun_since = select(later.id).where(applies(later), later.valid_from > this.valid_from)
    return (
        select(this.id)
        .where(this.id == calibration_id, applies(this))
        .where(~begun_since.correlate(CompositionReadingRow, this).exists())
        .where(or_(this.valid_until.is_(None), this.valid_until > time))
        .exists()
    )


def carries(calibration_id: str) -> ColumnElement[bool]:
    """Whether the measurement of the enclosing query was read under a calibration.

    Either it says so, or it says nothing and the calibration, registered later, was in force when it was read.
    """
    this, later = aliased(CalibrationRow), aliased(CalibrationRow)
    time = MeasurementRow.measured_at

    def applies(row: type[CalibrationRow]) -> ColumnElement[bool]:
        of_it = or_(row.property.is_(None), row.property == MeasurementRow.property)
        return and_(row.instrument_id == MeasurementRow.instrument_id, of_it, row.valid_from <= time)

    begun_since = select(later.id).where(applies(later), later.valid_from > this.valid_from)
    found_later = (
        select(this.id)
        .where(this.id == calibration_id, applies(this))
        .where(~begun_since.correlate(MeasurementRow, this).exists())
        .where(or_(this.valid_until.is_(None), this.valid_until > time))
        .exists()
    )
    return or_(
        MeasurementRow.calibration_id == calibration_id, and_(MeasurementRow.calibration_id.is_(None), found_later)
    )
