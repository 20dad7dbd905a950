"""Calibration samples and what instruments read of them: the science learns from it how instruments drift."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from models import dataset
from models.dataset import Dataset
from models.problem import Problem
from service.errors import NotFound
from service.store import retractions
from service.store.columns import columns_of
from service.store.rows import after_id
from service.store.tables import InstrumentRow, MeasurementRow, SampleRow


@dataclass(frozen=True)
class SampleReading:
    """One reading of a calibration sample that counts at a revision."""

    id: str
    uid: str
    instrument: str
    sample_id: str
    sample: str
    """Its name."""
    property: str
    unit: str
    value: float
    std_uncertainty: float | None
    replicates: int | None
    measured_at: datetime
    revision: int
    """Revision from which the reading counts."""
    row_hash: str


def store(session: Session, values: dict[str, Any]) -> None:
    """Insert one sample."""
    session.execute(insert(SampleRow).values(values))


def get(session: Session, sample_id: str) -> SampleRow:
    """One sample.

    Raises:
        NotFound: If there is none of this id.
    """
    row = session.get(SampleRow, sample_id)
    if row is None:
        raise NotFound("sample", sample_id)
    return row


def named(session: Session, campaign_id: str, name: str) -> SampleRow | None:
    """The campaign's sample of this name."""
    here = (SampleRow.campaign_id == campaign_id) & (SampleRow.name == name)
    return session.scalars(select(SampleRow).where(here)).one_or_none()


def page(session: Session, campaign_id: str, after: str | None, limit: int) -> Sequence[SampleRow]:
    """Samples of a campaign with an id above `after`."""
    query = select(SampleRow).where(SampleRow.campaign_id == campaign_id)
    return session.scalars(after_id(query, SampleRow.id, after, limit)).all()


def readings(
    session: Session, sample_id: str, after: str | None, limit: int
) -> Sequence[tuple[MeasurementRow, str, bool]]:
    """Readings of a sample with an id above `after`, each with its instrument's name and whether it counts now."""
    query = (
        select(MeasurementRow, InstrumentRow.name, retractions.counts_now())
        .join(InstrumentRow, InstrumentRow.id == MeasurementRow.instrument_id)
        .where(MeasurementRow.sample_id == sample_id)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(after_id(query, MeasurementRow.id, after, limit))]


def snapshot(
    session: Session, campaign_id: str, revision: int, after: str | None = None, limit: int | None = None
) -> list[SampleReading]:
    """Readings of calibration samples that count at `revision` and have an id above `after`, ordered by id."""
    query = (
        select(
            MeasurementRow.id,
            MeasurementRow.uid,
            InstrumentRow.name.label("instrument"),
            MeasurementRow.sample_id,
            SampleRow.name.label("sample"),
            MeasurementRow.property,
            MeasurementRow.unit,
            MeasurementRow.value,
            MeasurementRow.std_uncertainty,
            MeasurementRow.replicates,
            MeasurementRow.measured_at,
            MeasurementRow.revision,
            MeasurementRow.row_hash,
        )
        .join(InstrumentRow, InstrumentRow.id == MeasurementRow.instrument_id)
        .join(SampleRow, SampleRow.id == MeasurementRow.sample_id)
        .where(SampleRow.campaign_id == campaign_id, MeasurementRow.revision <= revision)
        .where(retractions.counts_at(revision))
    )
    return [SampleReading(**row._mapping) for row in session.execute(after_id(query, MeasurementRow.id, after, limit))]


def hashed_with(of_films: str, rows: Sequence[SampleReading]) -> str:
    """Hash of a snapshot, given that of its readings of films; the same if no sample was read."""
    if not rows:
        return of_films
    digest = hashlib.sha256(of_films.encode())
    for row in sorted(rows, key=lambda r: (r.instrument, r.uid)):
        digest.update(json.dumps([row.instrument, row.uid, row.row_hash, row.sample]).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def joined(problem: Problem, films: Dataset, rows: Sequence[SampleReading]) -> Dataset:
    """The readings of films, and those of calibration samples as the science wants them.

    An instrument is compared with itself only: a sample that two instruments read counts as two, since what lies
    between them is no drift.

    Args:
        problem: The campaign's problem: it gives the order of properties.
        films: Readings of films.
        rows: Readings of samples; those of properties that are not the campaign's are left out.
    """
    known = {p.property for p in problem.properties}
    read = [r for r in rows if r.property in known]
    n = len(read)
    if not read:
        return films
    d = problem.space.dimension
    nowhere = [*[1.0 / d] * d, *[0.0] * len(problem.space.process_columns)]  # counts for nothing, but must be finite
    samples = Dataset(
        X=np.array([nowhere] * n),
        **columns_of(problem, read, n),
        films=np.array([f"{r.instrument}/{r.sample}" for r in read]),
        times=np.array([r.measured_at.timestamp() for r in read]),
        names=np.array([f"{r.instrument}/{r.uid}" for r in read]),
        calibration=np.ones(n, dtype=bool),
    )
    return dataset.joined([films, samples])
