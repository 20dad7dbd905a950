"""Revisions of a campaign's dataset and what each of them holds."""

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Text, cast, func, insert, or_, select, update
from sqlalchemy.orm import Session

from models.dataset import Dataset
from models.problem import Problem
from service.errors import NotFound
from service.store import compositions, retractions, samples
from service.store.session import lock_campaign
from service.store.tables import (
    CampaignConfigRow,
    CampaignRow,
    CompositionReadingRow,
    FilmRow,
    InstrumentRow,
    MeasurementRow,
    RevisionRow,
)


@dataclass(frozen=True)
class Head:
    """Where a campaign stands: what it seeks and how far its dataset has come."""

    state: str
    revision: int
    problem: Problem


@dataclass(frozen=True)
class SnapshotRow:
    """One active reading at a revision, with the composition that counts there."""

    uid: str
    instrument: str
    film_id: str
    device: int
    position: float
    """Of the device along its film, 0 at end A, 1 at end B."""
    composition: dict[str, float]
    """Atomic fraction by element: as measured if that was known at the revision, else as made, else as proposed."""
    process: dict[str, float | str]
    """Process conditions of the film in physical units, by variable name."""
    property: str
    unit: str
    value: float | None
    status: str
    std_uncertainty: float | None
    replicates: int | None
    measured_at: datetime
    revision: int
    """Revision from which the reading counts."""
    row_hash: str
    raw_value: float | None = None
    raw_unit: str | None = None
    """Unit in which the reading was delivered; none if in the campaign's own, like the value and the uncertainty."""
    raw_std_uncertainty: float | None = None


def head(session: Session, campaign_id: str) -> Head:
    """State, newest revision and problem in force of a campaign.

    Raises:
        NotFound: If there is no such campaign.
    """
    query = (
        select(CampaignRow.state, CampaignRow.revision, cast(CampaignConfigRow.problem, Text).label("problem"))
        .join(CampaignConfigRow, CampaignConfigRow.campaign_id == CampaignRow.id)
        .where(CampaignRow.id == campaign_id, CampaignConfigRow.number == CampaignRow.config_revision)
    )
    found = session.execute(query).one_or_none()
    if found is None:
        raise NotFound("campaign", campaign_id)
    return Head(found.state, found.revision, _parsed(found.problem))


def problem(session: Session, campaign_id: str, number: int) -> Problem:
    """Problem of a campaign's numbered configuration, which must exist."""
    here = (CampaignConfigRow.campaign_id == campaign_id) & (CampaignConfigRow.number == number)
    return _parsed(session.execute(select(cast(CampaignConfigRow.problem, Text)).where(here)).scalar_one())


@functools.lru_cache(maxsize=256)
def _parsed(problem: str) -> Problem:
    """A configuration never changes, and checking a search space solves linear programs: once per process is enough."""
    return Problem.model_validate_json(problem)


def draw_revision(session: Session, campaign_id: str, cause: str, cause_id: str | None = None) -> int:
    """Begin the campaign's next revision in this transaction, under the campaign's lock.

    The lock is held until the transaction ends, so numbers are given in the order of commits: whoever can see revision
    t can see everything up to t, for ever.

    Args:
        session: The transaction that changes the dataset.
        campaign_id: An existing campaign.
        cause: One of `tables.REVISION_CAUSES`.
        cause_id: Id of the batch, film or retraction that caused it.
    """
    lock_campaign(session, campaign_id)
    raised = (
        update(CampaignRow)
        .where(CampaignRow.id == campaign_id)
        .values(revision=CampaignRow.revision + 1, updated_at=func.now())
        .returning(CampaignRow.revision)
        .execution_options(synchronize_session=False)
    )
    number: int = session.execute(raised).scalar_one()
    row = {"campaign_id": campaign_id, "number": number, "cause": cause, "cause_id": cause_id}
    session.execute(insert(RevisionRow).values(row))
    return number


def snapshot(session: Session, campaign_id: str, revision: int) -> list[SnapshotRow]:
    """Every reading that is active at `revision`, ordered by instrument and uid."""
    query = (
        select(
            MeasurementRow.uid,
            InstrumentRow.name.label("instrument"),
            MeasurementRow.film_id,
            MeasurementRow.device,
            FilmRow.process,
            MeasurementRow.property,
            MeasurementRow.unit,
            MeasurementRow.value,
            MeasurementRow.status,
            MeasurementRow.std_uncertainty,
            MeasurementRow.replicates,
            MeasurementRow.raw_value,
            MeasurementRow.raw_unit,
            MeasurementRow.raw_std_uncertainty,
            MeasurementRow.measured_at,
            MeasurementRow.revision,
            MeasurementRow.row_hash,
        )
        .join(InstrumentRow, InstrumentRow.id == MeasurementRow.instrument_id)
        .join(FilmRow, FilmRow.id == MeasurementRow.film_id)
        .where(MeasurementRow.campaign_id == campaign_id, MeasurementRow.revision <= revision)
        .where(retractions.counts_at(revision))
        .order_by(InstrumentRow.name, MeasurementRow.uid)
    )
    found = session.execute(query).all()
    places = _places(session, campaign_id, revision)
    return [SnapshotRow(**places[row.film_id, row.device], **row._mapping) for row in found]


def _places(session: Session, campaign_id: str, revision: int) -> dict[tuple[str, int], dict[str, Any]]:
    """Where each device of the campaign's films is and what it is made of, as far as it was known at `revision`."""
    reading = CompositionReadingRow
    query = (
        select(reading.film_id, reading.device, reading.position, reading.composition)
        .join(FilmRow, FilmRow.id == CompositionReadingRow.film_id)
        .where(FilmRow.campaign_id == campaign_id)
        .where(or_(CompositionReadingRow.kind == "nominal", CompositionReadingRow.revision <= revision))
        # Later knowledge counts before earlier of its kind: the last one stays.
        .order_by(compositions.weight(), CompositionReadingRow.revision)
    )
    return {
        (film_id, device): {"position": position, "composition": composition}
        for film_id, device, position, composition in session.execute(query)
    }


def hash_of(rows: Sequence[SnapshotRow]) -> str:
    """SHA-256 over the readings sorted by name: equal for equal content, whatever order it arrived in.

    Each reading adds its name, the hash of what the instrument said, and the film's composition and process, since a
    composition that becomes known later changes what is learned from the same reading.
    """
    digest = hashlib.sha256()
    for row in sorted(rows, key=lambda r: (r.instrument, r.uid)):
        place = json.dumps([row.composition, row.process], sort_keys=True)
        digest.update(json.dumps([row.instrument, row.uid, row.row_hash, place]).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def snapshot_hash(session: Session, campaign_id: str, revision: int, rows: Sequence[SnapshotRow] | None = None) -> str:
    """Hash of a revision's snapshot; computed when it is first asked for, then kept with the revision.

    Args:
        session: A transaction that may write.
        campaign_id: The campaign.
        revision: A revision that exists.
        rows: The snapshot, if the caller has read it already.
    """
    here = (RevisionRow.campaign_id == campaign_id) & (RevisionRow.number == revision)
    kept = session.execute(select(RevisionRow.snapshot_hash).where(here)).scalar_one()
    if kept is not None:
        return str(kept)
    of_films = hash_of(snapshot(session, campaign_id, revision) if rows is None else rows)
    computed = samples.hashed_with(of_films, samples.snapshot(session, campaign_id, revision))
    session.execute(
        update(RevisionRow)
        .where(here, RevisionRow.snapshot_hash.is_(None))
        .values(snapshot_hash=computed)
        .execution_options(synchronize_session=False)
    )
    return computed


def kept_hash(session: Session, campaign_id: str, revision: int) -> str | None:
    """The stored hash of a revision's snapshot; none if nobody has read it yet."""
    here = (RevisionRow.campaign_id == campaign_id) & (RevisionRow.number == revision)
    return session.execute(select(RevisionRow.snapshot_hash).where(here)).scalar_one_or_none()


_CENSORED = {"above_limit": 1, "below_limit": -1}
"""Sign of what a saturated instrument says, by the status of the reading."""


def to_dataset(problem: Problem, rows: Sequence[SnapshotRow]) -> Dataset:
    """The readings of the campaign's properties as arrays for the science, and the devices that are dead.

    Args:
        problem: The campaign's problem: it gives the order of elements, process columns and properties.
        rows: A snapshot.

    Returns:
        One row per reading, with NaN for the m - 1 properties that it is not of, and one per dead device, without any.
    """
    column = {p.property: k for k, p in enumerate(problem.properties)}
    read = [r for r in rows if r.value is not None and r.property in column]
    dead = {(r.film_id, r.device): r for r in sorted(rows, key=lambda r: r.uid, reverse=True) if r.status == "dead"}
    kept = [*read, *dead.values()]
    if not kept:
        width = problem.space.dimension + len(problem.space.process_columns)
        return Dataset.empty(width, len(column))
    n, m = len(kept), len(column)
    at = (np.arange(len(read)), np.array([column[r.property] for r in read], dtype=np.intp))
    Y, Yvar = np.full((n, m), np.nan), np.full((n, m), np.nan)
    replicates, censored = np.ones((n, m)), np.zeros((n, m), dtype=np.int8)
    Y[at] = [r.value for r in read]
    Yvar[at] = [np.nan if r.std_uncertainty is None else r.std_uncertainty**2 for r in read]
    replicates[at] = [r.replicates or 1 for r in read]
    censored[at] = [_CENSORED.get(r.status, 0) for r in read]
    return Dataset(
        X=np.array([_point(problem, r) for r in kept], dtype=np.float64),
        Y=Y,
        Yvar=Yvar,
        films=np.array([r.film_id for r in kept]),
        times=np.array([r.measured_at.timestamp() for r in kept]),
        names=np.array([f"{r.instrument}/{r.uid}" for r in kept]),
        positions=np.array([r.position for r in kept]),
        replicates=replicates,
        censored=censored,
        dead=np.array([r.value is None for r in kept]),
    )


def _point(problem: Problem, row: SnapshotRow) -> list[float]:
    """A device as the surrogate sees it: fractions, then process columns."""
    fractions = [row.composition.get(e, 0.0) for e in problem.space.elements]
    return [*fractions, *problem.space.encode_process(row.process).tolist()]
