"""Instruments and their calibrations: who reads, and what vouches for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from service.errors import Conflict, InvalidInput, Violation
from service.store import calibrations, campaigns, datasets, events, instruments, measurements
from service.store.calibrations import Validity
from service.store.session import lock_campaign
from service.store.tables import CalibrationRow, InstrumentRow


@dataclass(frozen=True)
class Instrument:
    """An instrument of a campaign."""

    id: str
    campaign_id: str
    name: str
    kind: str | None
    owner: str | None
    notes: str | None
    created_at: datetime


@dataclass(frozen=True)
class Calibration:
    """A calibration of an instrument."""

    id: str
    campaign_id: str
    instrument_id: str
    property: str | None
    method: str
    valid_from: datetime
    valid_until: datetime | None
    notes: str | None
    created_at: datetime


def register(
    session: Session, campaign_id: str, name: str, *, kind: str | None, owner: str | None, notes: str | None
) -> tuple[Instrument, bool]:
    """Register an instrument, or say more of one that has only reported yet.

    Returns:
        The instrument, and whether its name is new in the campaign.

    Raises:
        NotFound: If there is no such campaign.
        Conflict: If the instrument was described before, and otherwise.
    """
    campaigns.get(session, campaign_id)
    lock_campaign(session, campaign_id)
    said = {"kind": kind, "owner": owner, "notes": notes}
    known = instruments.named(session, campaign_id, name)
    if known is not None:
        before = {"kind": known.kind, "owner": known.owner, "notes": known.notes}
        if before not in ({"kind": None, "owner": None, "notes": None}, said):
            raise Conflict(f"instrument {name!r} is described already, otherwise: {known.id}")
    instrument_id = measurements.instrument_id(session, campaign_id, name)
    row = instruments.describe(session, instrument_id, said)
    events.append(session, campaign_id, "instrument.registered", {"instrument_id": row.id, "instrument": name})
    return _instrument(row), known is None


def get(session: Session, instrument_id: str) -> Instrument:
    """One instrument.

    Raises:
        NotFound: If there is none of this id.
    """
    return _instrument(instruments.get(session, instrument_id))


def page(session: Session, campaign_id: str, after: str | None, limit: int) -> list[Instrument]:
    """The first `limit` instruments of a campaign after the id `after`, oldest first.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaigns.get(session, campaign_id)
    return [_instrument(row) for row in instruments.page(session, campaign_id, after, limit)]


def calibrate(
    session: Session,
    instrument_id: str,
    *,
    method: str,
    property_name: str | None,
    valid_from: datetime,
    valid_until: datetime | None,
    notes: str | None,
) -> Calibration:
    """Register a calibration of an instrument. Without an end it lasts until the next one of the same begins.

    Raises:
        NotFound: If there is no such instrument.
        InvalidInput: If the window is empty or the property is not one of the campaign's.
        Conflict: If another calibration begins at the same time, or one with an end overlaps.
    """
    campaign_id = instruments.get(session, instrument_id).campaign_id
    lock_campaign(session, campaign_id)
    _check_window(valid_from, valid_until)
    known = [p.property for p in datasets.head(session, campaign_id).problem.properties]
    if property_name is not None and property_name not in known:
        message = f"property {property_name!r} is not one of the campaign's: {', '.join(map(repr, known))}"
        raise InvalidInput(message, [Violation("/property", message)])
    for other in calibrations.of_instrument(session, instrument_id):
        of_the_same = property_name is None or other.property in {None, property_name}
        if of_the_same and (why := _clash(other, valid_from, valid_until)):
            raise Conflict(f"calibration {other.id} of this instrument {why}")
    values = {"campaign_id": campaign_id, "instrument_id": instrument_id, "property": property_name, "method": method}
    window = {"valid_from": valid_from, "valid_until": valid_until}
    calibration_id = calibrations.store(session, values | window | {"notes": notes})
    told = {"calibration_id": calibration_id, "instrument_id": instrument_id}
    events.append(session, campaign_id, "instrument.calibrated", told)
    return calibration(session, calibration_id)


def calibration(session: Session, calibration_id: str) -> Calibration:
    """One calibration.

    Raises:
        NotFound: If there is none of this id.
    """
    return _calibration(calibrations.get(session, calibration_id))


def calibration_page(session: Session, instrument_id: str, after: str | None, limit: int) -> Sequence[Calibration]:
    """The first `limit` calibrations of an instrument after the id `after`, in the order in which they were registered.

    Raises:
        NotFound: If there is no such instrument.
    """
    instruments.get(session, instrument_id)
    return [_calibration(row) for row in calibrations.page(session, instrument_id, after, limit)]


def _check_window(valid_from: datetime, valid_until: datetime | None) -> None:
    if valid_until is not None and valid_until <= valid_from:
        message = f"valid_until {valid_until.isoformat()} must be after valid_from {valid_from.isoformat()}"
        raise InvalidInput(message, [Violation("/valid_until", message)])


def _clash(other: Validity, valid_from: datetime, valid_until: datetime | None) -> str | None:
    """Why a window cannot stand beside another one; none if the later of them simply takes over."""
    if other.valid_from == valid_from:
        return f"begins at {valid_from.isoformat()}, too"
    (first_end, second_begin) = (
        (other.valid_until, valid_from) if other.valid_from < valid_from else (valid_until, other.valid_from)
    )
    if first_end is None or first_end <= second_begin:
        return None
    return f"overlaps: one lasts until {first_end.isoformat()}, the other begins at {second_begin.isoformat()}"


def _instrument(row: InstrumentRow) -> Instrument:
    return Instrument(row.id, row.campaign_id, row.name, row.kind, row.owner, row.notes, row.created_at)


def _calibration(row: CalibrationRow) -> Calibration:
    return Calibration(
        id=row.id,
        campaign_id=row.campaign_id,
        instrument_id=row.instrument_id,
        property=row.property,
        method=row.method,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        notes=row.notes,
        created_at=row.created_at,
    )
