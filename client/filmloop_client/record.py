"""A campaign's record: retractions, instruments with their calibrations, calibration samples."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat

from filmloop_client.answers import Answer
from filmloop_client.paging import pages
from filmloop_client.transport import Transport


class Retraction(Answer):
    """Readings that do not count from `revision` on; once `state` is `reversed`, until the revision of `reversal`."""

    id: str
    campaign_id: str
    state: str
    what: dict[str, Any]
    reason: str
    also_later: bool = False
    revision: int
    readings: int
    compositions: int = 0
    reversal: dict[str, Any] | None = None
    superseded: tuple[str, ...] = ()
    """Ready proposals that rested on the readings, when it was made."""
    created_at: datetime | None = None


class InstrumentDescription(Answer):
    """An instrument as people describe it."""

    id: str
    campaign_id: str
    name: str
    kind: str | None = None
    owner: str | None = None
    notes: str | None = None


class CalibrationOfInstrument(Answer):
    """A calibration of an instrument, in force from `valid_from` until `valid_until` or until the next one begins."""

    id: str
    instrument_id: str
    property: str | None = None
    method: str
    valid_from: datetime
    valid_until: datetime | None = None
    notes: str | None = None


class Sample(Answer):
    """A calibration sample; `unit` is the campaign's."""

    id: str
    campaign_id: str
    name: str
    property: str
    unit: str
    assigned_value: float | None = None
    std_uncertainty: float | None = None
    notes: str | None = None


class SampleBatch(Answer):
    """Receipt for readings of a calibration sample."""

    id: str
    sample_id: str
    instrument: str
    revision: int
    accepted: int
    duplicates: int = 0
    measurement_ids: tuple[str, ...] = ()


class SampleReading(BaseModel):
    """One reading of a calibration sample."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: str
    value: FiniteFloat
    std_uncertainty: FiniteFloat | None = Field(default=None, gt=0.0)
    replicates: int | None = Field(default=None, ge=2)
    measured_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    uid: str | None = None
    """Its permanent name, if it has one: sent again, it is stored once. Give `measured_at` with it."""


class Record:
    """What vouches for a campaign's data, and what was found to be wrong with them."""

    def __init__(self, transport: Transport, campaign_id: str) -> None:
        """Name a campaign; nothing is sent yet."""
        self._transport = transport
        self._path = f"/v1/campaigns/{campaign_id}"

    def retract(
        self,
        reason: str,
        *,
        ids: Sequence[str] | None = None,
        film_id: str | None = None,
        instrument: str | None = None,
        measured_from: datetime | None = None,
        measured_until: datetime | None = None,
        calibration_id: str | None = None,
        also_later: bool = True,
    ) -> Retraction:
        """Let readings no longer count from a new revision on; nothing is deleted, and past revisions stay as they are.

        Args:
            reason: Why, for people.
            ids: Of the readings; or else
            film_id: every reading of a film; or else
            instrument: what this instrument read, ever or in a window; or else
            measured_from: Begin of the window.
            measured_until: Its end, which is not covered.
            calibration_id: what was read under a calibration.
            also_later: Cover readings, too, that arrive later and that this describes.

        Raises:
            Invalid: If not exactly one thing is named, it is not of this campaign, or no reading fits.
        """
        given = {
            "ids": None if ids is None else list(ids),
            "film_id": film_id,
            "instrument": instrument,
            "measured_from": _written(measured_from),
            "measured_until": _written(measured_until),
            "calibration_id": calibration_id,
        }
        body = {"reason": reason, "also_later": also_later, **{k: v for k, v in given.items() if v is not None}}
        return Retraction.model_validate(self._transport.post(f"{self._path}/retractions", body).json())

    def reverse(self, retraction_id: str, reason: str) -> Retraction:
        """Let the readings of a retraction count again, unless another one covers them.

        Raises:
            Conflict: If it was reversed before.
        """
        answer = self._transport.post(f"/v1/retractions/{retraction_id}/reversal", {"reason": reason})
        return Retraction.model_validate(answer.json())

    def retractions(self) -> Iterator[Retraction]:
        """Every retraction, reversed or not."""
        return pages(self._transport, f"{self._path}/retractions", Retraction)

    def register_instrument(
        self, name: str, *, kind: str | None = None, owner: str | None = None, notes: str | None = None
    ) -> InstrumentDescription:
        """Register an instrument, or describe one that has reported already.

        Raises:
            Conflict: If it was described before, and otherwise.
        """
        body = {"name": name, "kind": kind, "owner": owner, "notes": notes}
        return InstrumentDescription.model_validate(self._transport.post(f"{self._path}/instruments", body).json())

    def instruments(self) -> Iterator[InstrumentDescription]:
        """Every instrument that was registered or has reported."""
        return pages(self._transport, f"{self._path}/instruments", InstrumentDescription)

    def calibrate(
        self,
        instrument_id: str,
        method: str,
        valid_from: datetime,
        *,
        valid_until: datetime | None = None,
        of_property: str | None = None,
        notes: str | None = None,
    ) -> CalibrationOfInstrument:
        """Register a calibration; without an end it holds until the next one of the same begins.

        Raises:
            Conflict: If its window overlaps that of another one.
        """
        body = {
            "method": method,
            "property": of_property,
            "valid_from": _written(valid_from),
            "valid_until": _written(valid_until),
            "notes": notes,
        }
        answer = self._transport.post(f"/v1/instruments/{instrument_id}/calibrations", body)
        return CalibrationOfInstrument.model_validate(answer.json())

    def calibrations(self, instrument_id: str) -> Iterator[CalibrationOfInstrument]:
        """Every calibration of an instrument."""
        return pages(self._transport, f"/v1/instruments/{instrument_id}/calibrations", CalibrationOfInstrument)

    def register_sample(
        self,
        name: str,
        of_property: str,
        unit: str,
        *,
        assigned_value: float | None = None,
        std_uncertainty: float | None = None,
        notes: str | None = None,
    ) -> Sample:
        """Register a calibration sample: something stable that instruments read again and again.

        Raises:
            Conflict: If the campaign has a sample of this name.
            Invalid: If the property is not one of the campaign's, or the unit none of it.
        """
        body: dict[str, Any] = {"name": name, "property": of_property, "unit": unit, "notes": notes}
        body |= {"assigned_value": assigned_value, "std_uncertainty": std_uncertainty}
        return Sample.model_validate(self._transport.post(f"{self._path}/samples", body).json())

    def samples(self) -> Iterator[Sample]:
        """Every calibration sample."""
        return pages(self._transport, f"{self._path}/samples", Sample)

    def read_sample(self, sample_id: str, instrument: str, readings: Iterable[SampleReading]) -> SampleBatch:
        """Store what an instrument read of a sample, all or nothing.

        Raises:
            Invalid: If a reading is refused; `errors` names each.
            Conflict: If a uid was already used for other content.
        """
        rows = [reading.model_dump(mode="json") for reading in readings]
        body = {"instrument": instrument, "readings": rows}
        return SampleBatch.model_validate(self._transport.post(f"/v1/samples/{sample_id}/readings", body).json())


def _written(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
