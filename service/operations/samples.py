"""Calibration samples: register them, and take in what instruments read of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.errors import Conflict, IllegalTransition, InvalidInput, Violation
from service.operations import batches
from service.operations.batches import Counts, Written
from service.operations.refill import request_decision
from service.operations.units import Conversion, conversion
from service.store import campaigns, datasets, events, measurements, samples
from service.store.ids import new_id
from service.store.session import lock_campaign
from service.store.tables import MeasurementRow, SampleRow

LARGEST = 1e100
"""Largest magnitude of a value in the campaign's unit."""


@dataclass(frozen=True)
class Sample:
    """A calibration sample."""

    id: str
    campaign_id: str
    name: str
    property: str
    unit: str
    """The campaign's unit of the property."""
    assigned_value: float | None
    std_uncertainty: float | None
    """Of the assigned value."""
    notes: str | None
    created_at: datetime


@dataclass(frozen=True)
class SampleReading:
    """One reading of a sample as an instrument sends it."""

    unit: str
    value: float
    measured_at: datetime
    std_uncertainty: float | None = None
    replicates: int | None = None
    uid: str | None = None


@dataclass(frozen=True)
class SampleReadingSeen:
    """One reading of a sample as it is stored."""

    id: str
    uid: str
    instrument: str
    value: float
    """In the campaign's unit."""
    deviation: float | None
    """From the assigned value."""
    std_uncertainty: float | None
    replicates: int | None
    calibration_id: str | None
    measured_at: datetime
    revision: int
    retracted: bool


@dataclass(frozen=True)
class Recorded:
    """What became of readings of a sample."""

    id: str
    """Of the batch."""
    campaign_id: str
    sample_id: str
    instrument: str
    revision: int
    accepted: int
    duplicates: int
    measurement_ids: tuple[str, ...]
    """Id of each reading in the order it was sent; a duplicate has the id of the reading that was there."""
    job_id: str | None
    """The decision that will see them; none if they brought nothing new."""


def register(
    session: Session,
    campaign_id: str,
    *,
    name: str,
    property_name: str,
    unit: str,
    assigned_value: float | None,
    std_uncertainty: float | None,
    notes: str | None,
) -> Sample:
    """Register a calibration sample.

    Args:
        session: The open transaction.
        campaign_id: The campaign.
        name: Unique in the campaign.
        property_name: Which of the campaign's properties is read of it.
        unit: Of the numbers that follow; any unit of the property's dimension.
        assigned_value: What it is known or agreed to have, if anything.
        std_uncertainty: Of the assigned value.
        notes: What a person should know.

    Raises:
        NotFound: If there is no such campaign.
        InvalidInput: If the property is not one of the campaign's, or the unit none of it.
        Conflict: If a sample of this name is registered.
    """
    lock_campaign(session, campaign_id)
    units = {p.property: p.unit for p in datasets.head(session, campaign_id).problem.properties}
    if property_name not in units:
        message = f"property {property_name!r} is not one of the campaign's: {', '.join(map(repr, units))}"
        raise InvalidInput(message, [Violation("/property", message)])
    if known := samples.named(session, campaign_id, name):
        raise Conflict(f"sample {name!r} is registered already: {known.id}")
    into = _conversion(unit, units[property_name], "/unit")
    values = {
        "id": new_id("smp"),
        "campaign_id": campaign_id,
        "name": name,
        "property": property_name,
        "unit": units[property_name],
        "assigned_value": None if assigned_value is None else into.value(assigned_value),
        "std_uncertainty": None if std_uncertainty is None else into.uncertainty(std_uncertainty),
        "notes": notes,
    }
    samples.store(session, values)
    events.append(session, campaign_id, "sample.registered", {"sample_id": values["id"], "sample": name})
    return get(session, str(values["id"]))


def get(session: Session, sample_id: str) -> Sample:
    """One sample.

    Raises:
        NotFound: If there is none of this id.
    """
    return _seen(samples.get(session, sample_id))


def page(session: Session, campaign_id: str, after: str | None, limit: int) -> list[Sample]:
    """The first `limit` samples of a campaign after the id `after`, oldest first.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaigns.get(session, campaign_id)
    return [_seen(row) for row in samples.page(session, campaign_id, after, limit)]


def readings(session: Session, sample_id: str, after: str | None, limit: int) -> list[SampleReadingSeen]:
    """The first `limit` readings of a sample after the id `after`, retracted ones among them.

    Raises:
        NotFound: If there is no such sample.
    """
    sample = samples.get(session, sample_id)
    rows = samples.readings(session, sample_id, after, limit)
    return [_reading_seen(sample, row, name, counts=counts) for row, name, counts in rows]


def record(session: Session, sample_id: str, instrument: str, sent: Sequence[SampleReading]) -> Recorded:
    """Store readings of a sample in this transaction, all or nothing.

    They are readings like any other, with a revision, a calibration and permanent names, but none of a film: only what
    the instrument's drift is known by depends on them.

    Raises:
        NotFound: If there is no such sample.
        IllegalTransition: If the campaign is a draft.
        InvalidInput: If any reading breaks a rule; every violation is named.
        Conflict: If a uid is known with other content.
    """
    sample = samples.get(session, sample_id)
    campaign = datasets.head(session, sample.campaign_id)
    if campaign.state == "draft":
        raise IllegalTransition("campaign", sample.campaign_id, "draft", "record measurements", ["activate", "abort"])
    lock_campaign(session, sample.campaign_id)
    who = measurements.reporter(session, sample.campaign_id, instrument)
    rows = _rows(sample, sent)
    uids = [row["uid"] for row in rows]
    known = measurements.known_readings(session, sample.campaign_id, who.id, uids)
    if other := [r["uid"] for r in rows if r["uid"] in known and known[r["uid"]][1] != r["row_hash"]]:
        named = ", ".join(map(repr, other[:10]))
        raise Conflict(f"{len(other)} uid(s) are stored with other content and readings never change: {named}")
    new = [row for row in rows if row["uid"] not in known]
    counts = Counts(len(new), duplicates=len(rows) - len(new))
    written = batches.write(session, sample.campaign_id, who, new, counts)
    return Recorded(
        id=written.batch_id,
        campaign_id=sample.campaign_id,
        sample_id=sample_id,
        instrument=instrument,
        revision=written.revision,
        accepted=len(new),
        duplicates=len(rows) - len(new),
        measurement_ids=tuple(known[r["uid"]][0] if r["uid"] in known else r["id"] for r in rows),
        job_id=_announce(session, sample, written, len(new)) if new else None,
    )


def _announce(session: Session, sample: SampleRow, written: Written, accepted: int) -> str | None:
    """Tell of new readings and ask for the decision that sees them; return its job."""
    told = {"batch_id": written.batch_id, "sample_id": sample.id, "revision": written.revision, "accepted": accepted}
    events.append(session, sample.campaign_id, "sample.read", told)
    return request_decision(session, sample.campaign_id, written.revision)


def _rows(sample: SampleRow, sent: Sequence[SampleReading]) -> list[dict[str, Any]]:
    """The readings as they are stored, or every violation at once."""
    found: list[Violation] = []
    rows, first_row = [], dict[str, int]()
    for k, reading in enumerate(sent):
        if reading.uid is not None and (first := first_row.setdefault(reading.uid, k)) != k:
            message = f"uid {reading.uid!r} is already that of row {first}"
            found.append(Violation(f"/readings/{k}/uid", message, row=k))
        if reading.replicates is not None and reading.std_uncertainty is None:
            message = f"{reading.replicates} replicates have a scatter: std_uncertainty must say it, got null"
            found.append(Violation(f"/readings/{k}/std_uncertainty", message, row=k))
        try:
            rows.append(_row(sample, reading, f"/readings/{k}"))
        except InvalidInput as error:
            found += [Violation(v.pointer, v.message, row=k) for v in error.violations]
    if found:
        raise InvalidInput(f"{len(found)} thing(s) are wrong with these readings; nothing was stored", found)
    return rows


def _row(sample: SampleRow, reading: SampleReading, pointer: str) -> dict[str, Any]:
    """One reading in the campaign's unit, and as it was delivered if that was another one."""
    into = _conversion(reading.unit, sample.unit, f"{pointer}/unit")
    value = into.value(reading.value)
    if abs(value) > LARGEST:
        message = f"the value must lie within {LARGEST:g} {sample.unit}, it is {value:g}"
        raise InvalidInput(message, [Violation(f"{pointer}/value", message)])
    said = {
        "sample_id": sample.id,
        "property": sample.property,
        "unit": reading.unit,
        "value": reading.value,
        "status": "ok",
        "std_uncertainty": reading.std_uncertainty,
        "replicates": reading.replicates,
        "measured_at": reading.measured_at,
    }
    spread = None if reading.std_uncertainty is None else into.uncertainty(reading.std_uncertainty)
    return batches.row_of(said, new_id("msr"), reading.uid, unit=sample.unit, value=value, std_uncertainty=spread)


def _conversion(unit: str, wanted: str, pointer: str) -> Conversion:
    try:
        return conversion(unit, wanted)
    except InvalidInput as error:
        raise InvalidInput(str(error), [Violation(pointer, str(error))]) from error


def _seen(row: SampleRow) -> Sample:
    return Sample(
        id=row.id,
        campaign_id=row.campaign_id,
        name=row.name,
        property=row.property,
        unit=row.unit,
        assigned_value=row.assigned_value,
        std_uncertainty=row.std_uncertainty,
        notes=row.notes,
        created_at=row.created_at,
    )


def _reading_seen(sample: SampleRow, row: MeasurementRow, instrument: str, *, counts: bool) -> SampleReadingSeen:
    value = row.value or 0.0
    return SampleReadingSeen(
        id=row.id,
        uid=row.uid,
        instrument=instrument,
        value=value,
        deviation=None if sample.assigned_value is None else value - sample.assigned_value,
        std_uncertainty=row.std_uncertainty,
        replicates=row.replicates,
        calibration_id=row.calibration_id,
        measured_at=row.measured_at,
        revision=row.revision,
        retracted=not counts,
    )
