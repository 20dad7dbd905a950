"""Spectra, diffraction patterns and other arrays: attached to a device or a film, kept as sent, given back whole."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from service.errors import InvalidInput, Violation
from service.operations.places import given_ways, place
from service.store import arrays, attachments, campaigns, events, measurements
from service.store.arrays import Numbers
from service.store.ids import new_id
from service.store.places import FilmPlaces, film_places
from service.store.session import lock_campaign
from service.store.tables import AttachmentRow


@dataclass(frozen=True)
class Axis:
    """One axis of an array."""

    name: str
    unit: str
    values: Numbers


@dataclass(frozen=True)
class Attachment:
    """An array as an instrument delivers it. Without any place it is of the film as a whole."""

    film_id: str
    kind: str
    label: str
    unit: str
    axes: tuple[Axis, ...]
    """Slowest first: the array has the shape of their lengths."""
    values: Numbers
    """In one row, the last axis running fastest."""
    measured_at: datetime
    device: int | None = None
    position: float | None = None
    position_mm: float | None = None


@dataclass(frozen=True)
class Attached:
    """What became of attachments that were sent together."""

    campaign_id: str
    instrument: str
    accepted: int
    duplicates: int
    ids: tuple[str, ...]
    """In the order that they were sent in."""


@dataclass(frozen=True)
class Stored:
    """An attachment as it is kept."""

    row: AttachmentRow
    instrument: str
    arrays: Mapping[str, Numbers]
    """By hash; empty where only the description was asked for."""


def attach(session: Session, campaign_id: str, instrument: str, given: Sequence[Attachment]) -> Attached:
    """Store attachments, all of them or none. What was sent before is not stored again.

    They are no readings: the dataset and its revision stay as they are.

    Raises:
        NotFound: If there is no such campaign.
        InvalidInput: If a film, a device or a shape is wrong; every violation is named and nothing is written.
    """
    campaigns.get(session, campaign_id)
    devices = _checked(session, campaign_id, given)
    lock_campaign(session, campaign_id)
    instrument_id = measurements.instrument_id(session, campaign_id, instrument)
    rows = [_row(a, device, instrument_id) for a, device in zip(given, devices, strict=True)]
    known = attachments.known(session, campaign_id, {row["content_hash"] for row in rows})
    fresh = {row["content_hash"]: row for row in rows if row["content_hash"] not in known}
    arrays.store(session, [part for a in given for part in (a.values, *(axis.values for axis in a.axes))])
    if fresh:
        attachments.store(session, [row | {"campaign_id": campaign_id} for row in fresh.values()])
        told = {"instrument": instrument, "accepted": len(fresh), "film_ids": sorted({a.film_id for a in given})}
        events.append(session, campaign_id, "attachments.recorded", told)
    ids = known | {content: row["id"] for content, row in fresh.items()}
    in_order = tuple(ids[row["content_hash"]] for row in rows)
    return Attached(campaign_id, instrument, len(fresh), len(rows) - len(fresh), in_order)


def get(session: Session, attachment_id: str) -> Stored:
    """One attachment with its arrays.

    Raises:
        NotFound: If there is none of this id.
        ArtifactDamaged: If its arrays are not what they were.
    """
    row, instrument = attachments.get(session, attachment_id)
    names = {row.array_sha256, *(axis["sha256"] for axis in row.axes)}
    return Stored(row, instrument, arrays.load(session, names))


def page(
    session: Session, campaign_id: str, *, film_id: str | None, kind: str | None, after: str | None, limit: int
) -> list[Stored]:
    """The first `limit` attachments after the id `after`, without their arrays, oldest first.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaigns.get(session, campaign_id)
    found = attachments.page(session, campaign_id, film_id=film_id, kind=kind, after=after, limit=limit)
    return [Stored(row, instrument, {}) for row, instrument in found]


def _checked(session: Session, campaign_id: str, given: Sequence[Attachment]) -> list[int | None]:
    """The device of each, none for the whole film; or every violation at once."""
    films = film_places(session, campaign_id, {a.film_id for a in given})
    found: list[Violation] = []
    devices: list[int | None] = []
    for k, attachment in enumerate(given):
        shape = tuple(len(axis.values) for axis in attachment.axes)
        if math.prod(shape) != attachment.values.size:
            message = f"{attachment.values.size} values do not fill axes of {' x '.join(map(str, shape))} points"
            found.append(_at(k, "data", message))
        film = films.get(attachment.film_id)
        if film is None:
            message = f"film {attachment.film_id!r} is not a film of campaign {campaign_id}"
            found.append(_at(k, "film_id", message))
        else:
            devices.append(_device(k, attachment, film, found))
    if found:
        raise InvalidInput(f"{len(found)} thing(s) are wrong with these attachments; nothing was stored", found)
    return devices


def _device(k: int, attachment: Attachment, film: FilmPlaces, found: list[Violation]) -> int | None:
    if not given_ways(attachment):
        return None
    device = place(attachment, film)
    if isinstance(device, int):
        return device
    found.append(_at(k, device.field, device.message))
    return None


def _at(k: int, field: str, message: str) -> Violation:
    return Violation(f"/attachments/{k}/{field}", message, row=k)


def _row(attachment: Attachment, device: int | None, instrument_id: str) -> dict[str, Any]:
    """An attachment as it is stored, but for its campaign."""
    said = {
        "film_id": attachment.film_id,
        "device": device,
        "instrument_id": instrument_id,
        "kind": attachment.kind,
        "label": attachment.label,
        "unit": attachment.unit,
        "axes": [
            {"name": a.name, "unit": a.unit, "points": len(a.values), "sha256": arrays.digest(a.values)}
            for a in attachment.axes
        ],
        "array_sha256": arrays.digest(attachment.values),
        "measured_at": attachment.measured_at.astimezone(UTC).isoformat(),
    }
    content = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    return said | {"id": new_id("att"), "measured_at": attachment.measured_at, "content_hash": content}
