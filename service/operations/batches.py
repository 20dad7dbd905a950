"""How every batch of readings is written: one revision, under the calibrations in force, retractions heeded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from service.operations.retractions import cover_arrivals
from service.store import calibrations, campaigns, measurements
from service.store.calibrations import Validity
from service.store.ids import new_id
from service.store.measurements import Reporter


class Written(NamedTuple):
    """A batch that is stored."""

    batch_id: str
    revision: int
    """Revision of the dataset that holds it."""


class Counts(NamedTuple):
    """What became of the rows of a batch."""

    accepted: int
    duplicates: int = 0
    """Rows that were stored before."""
    refused: int = 0


def row_of(
    said: Mapping[str, Any],
    measurement_id: str,
    uid: str | None,
    *,
    unit: str,
    value: float | None,
    std_uncertainty: float | None,
) -> dict[str, Any]:
    """A reading as it is stored: in the campaign's unit, and as it was delivered if that was another one.

    Args:
        said: What the instrument said, by column. Its hash is of this: its own words are what a repetition repeats.
        measurement_id: A fresh id.
        uid: Permanent name that the instrument gave.
        unit: The campaign's.
        value: In the campaign's unit.
        std_uncertainty: In the campaign's unit.
    """
    row = {
        **said,
        "id": measurement_id,
        "uid": uid or measurement_id,
        "unit": unit,
        "value": value,
        "std_uncertainty": std_uncertainty,
        "row_hash": measurements.row_hash(said),
    }
    if said["unit"] != unit:
        raw = {"raw_unit": said["unit"], "raw_value": said["value"], "raw_std_uncertainty": said["std_uncertainty"]}
        row.update(raw)
    return row


def write(
    session: Session,
    campaign_id: str,
    who: Reporter,
    new: Iterable[dict[str, Any]],
    counts: Counts,
) -> Written:
    """Store a batch and its new rows, which may be none. Needs the campaign's lock.

    Args:
        session: The open transaction.
        campaign_id: The campaign.
        who: Who measured.
        new: Rows as `row_of` makes them; what they share is filled in. They are made while they are written.
        counts: How many of them there are, and of others.
    """
    batch_id = new_id("bat")
    head = {"campaign_id": campaign_id, "instrument_id": who.id}
    told = {"id": batch_id, **head, **counts._asdict()}
    if not counts.accepted:
        revision = campaigns.get(session, campaign_id).revision
        measurements.add_batch(session, {**told, "revision": revision})
        return Written(batch_id, revision)
    revision = measurements.begin_batch(session, told)
    under = calibrations.of_instrument(session, who.id) if who.calibrations else []
    measurements.store(session, _shared(new, {**head, "batch_id": batch_id, "revision": revision}, under))
    if who.retractions:
        cover_arrivals(session, campaign_id, batch_id)
    return Written(batch_id, revision)


def _shared(
    rows: Iterable[dict[str, Any]], shared: Mapping[str, Any], under: Sequence[Validity]
) -> Iterator[dict[str, Any]]:
    """The rows with what they share, and with the calibration that was in force, unless they name it."""
    for row in rows:
        row.update(shared)
        if under and row.get("calibration_id") is None:
            row["calibration_id"] = calibrations.in_force(under, row["property"], row["measured_at"])
        yield row
