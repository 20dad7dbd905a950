"""Revisions of a campaign's dataset and what each of them holds."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BindParameter, Text, bindparam, cast, func, insert, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from models.dataset import Dataset
from models.problem import Problem
from service.errors import NotFound
from service.store import prior_data, samples
from service.store.columns import columns_of, point_of
from service.store.session import lock_campaign
from service.store.snapshots import SnapshotRow, hash_of, page, snapshot, stored_hash
from service.store.statements import Statement
from service.store.tables import (
    CampaignConfigRow,
    CampaignRow,
    RevisionRow,
    table_of,
)

__all__ = [
    "Head",
    "SnapshotRow",
    "WholeDataset",
    "draw_revision",
    "hash_of",
    "head",
    "kept_hash",
    "page",
    "present_hash",
    "problem",
    "snapshot",
    "snapshot_hash",
    "to_dataset",
    "whole",
]


@dataclass(frozen=True)
class Head:
    """Where a campaign stands: what it seeks and how far its dataset has come."""

    state: str
    revision: int
    problem: Problem


def head(session: Session, campaign_id: str) -> Head:
    """State, newest revision and problem in force of a campaign.

    Raises:
        NotFound: If there is no such campaign.
    """
    found = _HEAD.first(session, {"campaign_id": campaign_id})
    if found is None:
        raise NotFound("campaign", campaign_id)
    state, revision, problem = found
    return Head(state, revision, _parsed(problem))


_HEAD = Statement(
    select(CampaignRow.state, CampaignRow.revision, cast(CampaignConfigRow.problem, Text).label("problem"))
    .join(CampaignConfigRow, CampaignConfigRow.campaign_id == CampaignRow.id)
    .where(CampaignRow.id == bindparam("campaign_id"), CampaignConfigRow.number == CampaignRow.config_revision)
)


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
    drawn = {"campaign_id": campaign_id, "cause": cause, "cause_id": cause_id}
    number: int = _DRAW.one(session, drawn)[1]
    return number


def drawing(cause: str | BindParameter[str], cause_id: BindParameter[str]) -> ReturningInsert[str, int]:
    """The statement that begins the next revision of `:campaign_id` and gives campaign and number."""
    campaign = table_of(CampaignRow)
    raised = (
        update(campaign)
        .where(campaign.c.id == bindparam("campaign_id"))
        .values(revision=campaign.c.revision + 1, updated_at=func.now())
        .returning(campaign.c.id, campaign.c.revision)
        .cte("raised")
    )
    told = select(raised.c.id, raised.c.revision, cast(cause, Text), cause_id)
    revision = table_of(RevisionRow)
    drawn = insert(revision).from_select(["campaign_id", "number", "cause", "cause_id"], told)
    return drawn.returning(revision.c.campaign_id, revision.c.number)


_DRAW = Statement(drawing(bindparam("cause", type_=Text), bindparam("cause_id", type_=Text)))


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
    of_films = stored_hash(session, campaign_id, revision) if rows is None else hash_of(rows)
    computed = _with_the_rest(session, campaign_id, revision, of_films)
    session.execute(
        update(RevisionRow)
        .where(here, RevisionRow.snapshot_hash.is_(None))
        .values(snapshot_hash=computed)
        .execution_options(synchronize_session=False)
    )
    return computed


def present_hash(session: Session, campaign_id: str, revision: int) -> str:
    """Hash of a revision's snapshot, computed from the readings, whatever is kept; nothing is written."""
    return _with_the_rest(session, campaign_id, revision, stored_hash(session, campaign_id, revision))


def _with_the_rest(session: Session, campaign_id: str, revision: int, of_films: str) -> str:
    """Hash of a whole snapshot, given that of its readings of films."""
    of_own = samples.hashed_with(of_films, samples.snapshot(session, campaign_id, revision))
    return prior_data.hashed_with(of_own, prior_data.in_force_at(session, campaign_id, revision))


def kept_hash(session: Session, campaign_id: str, revision: int) -> str | None:
    """The stored hash of a revision's snapshot; none if nobody has read it yet."""
    here = (RevisionRow.campaign_id == campaign_id) & (RevisionRow.number == revision)
    return session.execute(select(RevisionRow.snapshot_hash).where(here)).scalar_one_or_none()


@dataclass(frozen=True)
class WholeDataset:
    """D_t with everything that is in it, and what it rests on."""

    dataset: Dataset
    snapshot_hash: str
    """Computed anew."""
    prior_data_ids: tuple[str, ...]


def whole(
    session: Session, campaign_id: str, problem: Problem, revision: int, rows: Sequence[SnapshotRow]
) -> WholeDataset:
    """Readings of films, of calibration samples and of prior data, as the science wants them.

    Args:
        session: One consistent view.
        campaign_id: The campaign.
        problem: In whose terms the readings are told.
        revision: t.
        rows: The snapshot of its films.
    """
    read_samples = samples.snapshot(session, campaign_id, revision)
    sources = prior_data.in_force_at(session, campaign_id, revision)
    own = samples.joined(problem, to_dataset(problem, rows), read_samples)
    return WholeDataset(
        dataset=prior_data.with_prior_data(session, problem, own, sources),
        snapshot_hash=prior_data.hashed_with(samples.hashed_with(hash_of(rows), read_samples), sources),
        prior_data_ids=tuple(source.id for source in sources),
    )


def to_dataset(problem: Problem, rows: Sequence[SnapshotRow]) -> Dataset:
    """The readings of the campaign's properties as arrays for the science, and the devices that are dead.

    Args:
        problem: The campaign's problem: it gives the order of elements, process columns and properties.
        rows: A snapshot.

    Returns:
        One row per reading, with NaN for the m - 1 properties that it is not of, and one per dead device, without any.
    """
    known = {p.property for p in problem.properties}
    read = [r for r in rows if r.value is not None and r.property in known]
    dead = {(r.film_id, r.device): r for r in sorted(rows, key=lambda r: r.uid, reverse=True) if r.status == "dead"}
    kept = [*read, *dead.values()]
    if not kept:
        width = problem.space.dimension + len(problem.space.process_columns)
        return Dataset.empty(width, len(known))
    return Dataset(
        X=_points(problem, kept),
        **columns_of(problem, read, len(kept)),
        films=np.array([r.film_id for r in kept]),
        times=np.array([r.measured_at.timestamp() for r in kept]),
        names=np.array([f"{r.instrument}/{r.uid}" for r in kept]),
        positions=np.array([r.position for r in kept]),
        dead=np.array([r.value is None for r in kept]),
    )


def _points(problem: Problem, rows: Sequence[SnapshotRow]) -> NDArray[np.float64]:
    """Devices as the surrogate sees them, `n x (d + p)`: fractions, then process columns."""
    places: dict[tuple[int, int], int] = {}  # by identity: the readings of a device share their composition
    number = [places.setdefault((id(r.composition), id(r.process)), len(places)) for r in rows]
    first = dict(zip(reversed(number), reversed(rows), strict=True))
    points = [point_of(problem, first[k].composition, first[k].process) for k in range(len(places))]
    return np.array(points, dtype=np.float64)[number]
