"""Attachments on the wire."""

import base64
import binascii
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import ConfigDict, Field, model_validator

from service.api.schemas.fields import Identifier, Incoming, Instant, InstantIn, Label, Outgoing
from service.api.schemas.measurements import Device, PlaceMm, Position
from service.api.schemas.shapes import at_most_one, exactly_one
from service.store.arrays import LITTLE_ENDIAN, Numbers

MAX_ATTACHMENTS = 200
"""Most attachments of one request."""
MAX_POINTS = 4_000_000
MAX_AXES = 3

Kind = Literal["spectrum", "diffraction_pattern", "curve", "map", "image", "other"]
Encoding = Literal["numbers", "base64"]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"


class ArrayCreate(Incoming):
    """Numbers: written out, or the bytes that they are in a computer."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra=exactly_one(values="array", base64="string")
    )

    dtype: Literal["float32", "float64"] = "float64"
    values: Annotated[list[Number], Field(min_length=1, max_length=MAX_POINTS)] | None = None
    """Written out; each is kept to the last bit of its type. Either this or `base64`."""
    base64: Annotated[str, Field(min_length=1, json_schema_extra={"pattern": _BASE64})] | None = None
    """Little-endian bytes in base64; the only way to send NaN, for pixels that are dead."""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if (self.values is None) == (self.base64 is None):
            raise ValueError("give either values or base64")
        array = self.array()
        if self.values is not None and not np.isfinite(array).all():
            raise ValueError(f"a value is too large for {self.dtype}")
        return self

    def array(self) -> Numbers:
        """The numbers in one row."""
        kind = np.dtype(LITTLE_ENDIAN[self.dtype])
        if self.values is not None:
            with np.errstate(over="ignore"):
                written: Numbers = np.array(self.values).astype(kind)
            return written
        try:
            data = base64.b64decode(self.base64 or "", validate=True)
        except binascii.Error as error:
            raise ValueError(f"base64 cannot be read: {error}") from error
        if not data or len(data) % kind.itemsize:
            raise ValueError(f"{len(data)} bytes are no whole number of {self.dtype}")
        numbers: Numbers = np.frombuffer(data, dtype=kind)
        return numbers


class AxisCreate(ArrayCreate):
    """One axis of an array."""

    name: Label
    unit: Label


class AttachmentCreate(Incoming):
    """An array with its axes, measured at a device or, if none is named, at the film as a whole."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra=at_most_one(device="integer", position="number", position_mm="number"),
    )

    film_id: Identifier
    device: Device | None = None
    position: Position | None = None
    position_mm: PlaceMm | None = None
    kind: Kind
    label: Label
    """What it shows, in the lab's words."""
    unit: Label
    """Of the numbers; kept as it is written."""
    axes: Annotated[list[AxisCreate], Field(min_length=1, max_length=MAX_AXES)]
    """Slowest first: of an image, rows and then columns."""
    data: ArrayCreate
    """As many numbers as the axes have points together, the last axis running fastest."""
    measured_at: InstantIn


class AttachmentsCreate(Incoming):
    """What an instrument sends at once; all of it or nothing is stored."""

    instrument: Label
    attachments: Annotated[list[AttachmentCreate], Field(min_length=1, max_length=MAX_ATTACHMENTS)]


class AttachmentsRead(Outgoing):
    """Receipt: the attachments are stored."""

    campaign_id: str
    instrument: str
    accepted: int
    duplicates: int
    """Sent before, with the same content."""
    attachment_ids: list[str]
    """In the order that they were sent in."""


class AxisRead(Outgoing):
    """One axis of an attachment, without its points."""

    name: str
    unit: str
    points: int


class AttachmentRead(Outgoing):
    """An attachment, without its numbers."""

    id: str
    campaign_id: str
    film_id: str
    device: int | None
    """Null if it is of the film as a whole."""
    instrument: str
    kind: Kind
    label: str
    unit: str
    axes: list[AxisRead]
    measured_at: Instant
    created_at: Instant
    sha256: str
    """Of the type and the little-endian bytes of the numbers."""


class ArrayRead(Outgoing):
    """Numbers, bit for bit as they were sent."""

    dtype: Literal["float32", "float64"]
    values: list[float] | None = None
    """With `encoding=numbers`."""
    base64: str | None = None
    """Little-endian bytes, with `encoding=base64`."""


class FullAxisRead(AxisRead, ArrayRead):
    """One axis of an attachment."""


class FullAttachmentRead(AttachmentRead):
    """An attachment, whole."""

    axes: list[FullAxisRead]  # type: ignore[assignment] # a list is not covariant; what goes out is not changed
    data: ArrayRead
