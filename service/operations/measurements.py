"""Take in what instruments measured: a batch is stored whole or not at all, or without the rows that are wrong."""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from sqlalchemy.orm import Session

from models.problem import Problem
from service.errors import Conflict, IllegalTransition, InvalidInput, Violation
from service.operations import batches
from service.operations.batches import Counts
from service.operations.readings import Checked, Reading, Refusals, at, check_all, misnamed
from service.operations.refill import request_decision
from service.store import calibrations, datasets, events, films, measurements
from service.store.ids import new_ids
from service.store.session import lock_campaign

__all__ = ["Reading", "Recorded", "RowResult", "record"]


class RowResult(NamedTuple):
    """What became of one row of a batch."""

    row: int
    """Its number in the batch, from 0."""
    status: Literal["accepted", "duplicate", "refused"]
    measurement_id: str | None = None
    """A duplicate has the id of the reading that was there; a refused row has none, nor has a new one of a dry run."""
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True)
class Recorded:
    """What became of a batch."""

    id: str | None
    """None of a dry run."""
    campaign_id: str
    instrument: str
    revision: int
    """Revision of the dataset that holds the batch."""
    results: tuple[RowResult, ...]
    """Of every row, in the order it was sent."""
    job_id: str | None = None
    """The decision that will see the batch; none if it brought nothing new."""

    def count(self, status: str) -> int:
        """Number of rows of which this became."""
        return self._counted[status]

    @functools.cached_property
    def _counted(self) -> Counter[str]:
        return Counter([result.status for result in self.results])


@dataclass(frozen=True)
class _Batch:
    """A batch whose rows were checked."""

    campaign_id: str
    instrument: str
    checked: Sequence[Checked]
    wrong: Refusals
    atomic: bool
    look_up: bool


def record(
    session: Session,
    campaign_id: str,
    instrument: str,
    readings: Sequence[Reading],
    *,
    refused: Mapping[int, Sequence[Violation]] | None = None,
    atomic: bool = True,
    dry_run: bool = False,
    look_up: bool = True,
) -> Recorded:
    """Store a batch in this transaction: rows, one revision, events and the campaign's one pending decision.

    Args:
        session: The transaction; the caller commits it.
        campaign_id: A campaign in any state but draft.
        instrument: Name of the instrument; it is registered when it first reports.
        readings: The rows of good shape, in order.
        refused: What is wrong with the shape of other rows, by row number; `readings` are the rows between them.
        atomic: Whether one bad row refuses all.
        dry_run: Whether to check only and write nothing.
        look_up: Whether to look for uids that are stored. They are rare and looking takes time, so a caller may try
            without first.

    Raises:
        NotFound: If there is no such campaign.
        IllegalTransition: If the campaign is a draft.
        InvalidInput: If `atomic` and any row breaks a rule; every violation is named and nothing is written.
        Conflict: If `atomic` and a uid is known with other content.
        UidStored: If not `look_up` and a uid is known.
    """
    campaign = datasets.head(session, campaign_id)
    if campaign.state == "draft":
        raise IllegalTransition("campaign", campaign_id, "draft", "record measurements", ["activate", "abort"])
    misshapen: Refusals = {row: list(found) for row, found in (refused or {}).items()}
    numbers = (row for row in range(len(readings) + len(misshapen)) if row not in misshapen)
    checked, wrong = check_all(session, campaign_id, campaign.problem, list(zip(numbers, readings, strict=False)))
    wrong |= misshapen
    if any(c.reading.calibration_id for c in checked):
        there = measurements.find_instrument(session, campaign_id, instrument)
        wrong |= misnamed(checked, calibrations.of_instrument(session, there) if there else [])
        checked = [c for c in checked if c.row not in wrong]
    if wrong and atomic:
        found = [violation for row in sorted(wrong) for violation in wrong[row]]
        raise InvalidInput(f"{len(found)} thing(s) are wrong with this batch; nothing was stored", found)
    batch = _Batch(campaign_id, instrument, checked, wrong, atomic, look_up or dry_run)
    if not dry_run:
        lock_campaign(session, campaign_id)
        return _store(session, batch, campaign.problem)
    # Without the lock another writer may change it a moment later.
    _, found_out = _sort(session, batch, measurements.find_instrument(session, campaign_id, instrument))
    results = tuple(r._replace(measurement_id=None) if r.status == "accepted" else r for r in found_out)
    return Recorded(None, campaign_id, instrument, campaign.revision, results)


def _store(session: Session, batch: _Batch, problem: Problem) -> Recorded:
    """Write a checked batch. Needs the campaign's lock."""
    who = measurements.reporter(session, batch.campaign_id, batch.instrument)
    new, results = _sort(session, batch, who.id)
    there = Counter(result.status for result in results)
    counts = Counts(len(new), duplicates=there["duplicate"], refused=there["refused"])
    batch_id, revision = batches.write(session, batch.campaign_id, who, map(_row, new), counts)
    recorded = Recorded(batch_id, batch.campaign_id, batch.instrument, revision, results)
    return _announce(session, recorded, problem, {c.reading.film_id for c, _ in new}) if new else recorded


def _sort(
    session: Session, batch: _Batch, instrument_id: str | None
) -> tuple[list[tuple[Checked, str]], tuple[RowResult, ...]]:
    """Tell new readings from those that are stored, and from those that contradict what is stored.

    Returns:
        The new readings, each with its fresh id, and what becomes of every row.

    Raises:
        Conflict: If the batch is atomic and one contradicts.
    """
    known: dict[str, tuple[str, str]] = {}
    if batch.look_up and instrument_id:
        uids = [c.reading.uid for c in batch.checked if c.reading.uid is not None]
        known = measurements.known_readings(session, batch.campaign_id, instrument_id, uids)
    named = list(zip(batch.checked, new_ids("msr", len(batch.checked)), strict=True))
    if not known and not batch.wrong:
        return named, tuple([RowResult(c.row, "accepted", measurement_id) for c, measurement_id in named])
    new, results, contradictions = [], [], []
    for c, measurement_id in named:
        there = known.get(c.reading.uid) if c.reading.uid else None
        if there is None:
            new.append((c, measurement_id))
            results.append(RowResult(c.row, "accepted", measurement_id))
        elif there[1] == measurements.row_hash(_said(c)):
            results.append(RowResult(c.row, "duplicate", there[0]))
        else:
            contradictions.append(c.reading.uid)
            message = f"uid {c.reading.uid!r} is stored with other content and readings never change"
            results.append(RowResult(c.row, "refused", violations=(at(c.row, "uid", message),)))
    if contradictions and batch.atomic:
        first = ", ".join(map(repr, contradictions[:10]))
        detail = f"{len(contradictions)} uid(s) are stored with other content and readings never change: {first}"
        raise Conflict(detail)
    if batch.wrong:
        results += [RowResult(row, "refused", violations=tuple(found)) for row, found in batch.wrong.items()]
        results.sort(key=attrgetter("row"))
    return new, tuple(results)


def _said(checked: Checked) -> dict[str, Any]:
    """What the instrument said, by column, in its own words."""
    reading = checked.reading
    said: dict[str, Any] = {
        "film_id": reading.film_id,
        "device": checked.device,
        "property": reading.property,
        "unit": reading.unit,
        "value": reading.value,
        "status": reading.status,
        "std_uncertainty": reading.std_uncertainty,
        "measured_at": reading.measured_at,
    }
    if reading.replicates is not None:  # left out else, so that readings of before keep their hash
        said["replicates"] = reading.replicates
    if reading.calibration_id is not None:
        said["calibration_id"] = reading.calibration_id
    return said


def _row(new: tuple[Checked, str]) -> dict[str, Any]:
    """A new reading as it is stored under its id."""
    checked, measurement_id = new
    return batches.row_of(
        _said(checked),
        measurement_id,
        checked.reading.uid,
        unit=checked.unit,
        value=checked.value,
        std_uncertainty=checked.std_uncertainty,
    )


def _announce(session: Session, recorded: Recorded, problem: Problem, film_ids: set[str]) -> Recorded:
    """Close films that are now measured, ask for a decision, tell both in events."""
    campaign_id, revision = recorded.campaign_id, recorded.revision
    settled = films.settle(session, film_ids, [p.property for p in problem.properties])
    job_id = request_decision(session, campaign_id, revision)
    told = {"batch_id": recorded.id, "instrument": recorded.instrument, "revision": revision}
    events.append(session, campaign_id, "batch.recorded", told | {"accepted": recorded.count("accepted")})
    for film_id in sorted(settled):
        told = {"film_id": film_id, "proposal_id": films.get(session, film_id).proposal_id}
        events.append(session, campaign_id, "film.measured", told)
    return replace(recorded, job_id=job_id)
