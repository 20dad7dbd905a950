"""Prior data, their readings and withdrawals: what counts at a revision, its hash, and how the science sees it."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, func, insert, or_, select, update
from sqlalchemy.orm import Session

from models.dataset import Dataset, joined
from models.problem import Problem
from service.store.campaigns import FRESH
from service.store.columns import columns_of, point_of
from service.store.rows import after_id, current
from service.store.tables import PriorDataRow, PriorReadingRow, PriorWithdrawalRow

_AT_ONCE = 2_000


def store(session: Session, values: Mapping[str, Any], readings: Sequence[Mapping[str, Any]]) -> None:
    """Insert prior data with all their readings."""
    session.execute(insert(PriorDataRow).values(values))
    named = [{**row, "prior_data_id": values["id"]} for row in readings]
    for start in range(0, len(named), _AT_ONCE):
        session.execute(insert(PriorReadingRow), named[start : start + _AT_ONCE])


def content_hash(row_hashes: Iterable[str]) -> str:
    """SHA-256 over the hashes of rows in their order."""
    return hashlib.sha256("\n".join(row_hashes).encode()).hexdigest()


def row_hash(said: Mapping[str, Any]) -> str:
    """SHA-256 of what a reading says."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def get(session: Session, prior_data_id: str) -> PriorDataRow:
    """One source.

    Raises:
        NotFound: If there is none of this id.
    """
    return current(session, PriorDataRow, prior_data_id, "prior data")


def page(session: Session, campaign_id: str, after: str | None, limit: int | None) -> Sequence[PriorDataRow]:
    """Prior data of a campaign with an id above `after`."""
    query = select(PriorDataRow).where(PriorDataRow.campaign_id == campaign_id)
    return session.scalars(after_id(query, PriorDataRow.id, after, limit)).all()


def readings(session: Session, prior_data_id: str, after: int | None, limit: int) -> Sequence[PriorReadingRow]:
    """Readings of one source with a number above `after`."""
    query = select(PriorReadingRow).where(PriorReadingRow.prior_data_id == prior_data_id)
    if after is not None:
        query = query.where(PriorReadingRow.number > after)
    return session.scalars(query.order_by(PriorReadingRow.number).limit(limit)).all()


def withdrawals(session: Session, prior_data_ids: Collection[str]) -> dict[str, list[PriorWithdrawalRow]]:
    """Withdrawals of each source, oldest first."""
    row = PriorWithdrawalRow
    query = select(row).where(row.prior_data_id.in_(prior_data_ids)).order_by(row.revision)
    found: dict[str, list[PriorWithdrawalRow]] = {key: [] for key in prior_data_ids}
    for withdrawal in session.scalars(query, execution_options={"populate_existing": True}):
        found[withdrawal.prior_data_id].append(withdrawal)
    return found


def withdraw(session: Session, values: Mapping[str, Any]) -> None:
    """Insert a withdrawal. Needs the campaign's lock."""
    session.execute(insert(PriorWithdrawalRow).values(values))


def reinstate(session: Session, prior_data_id: str, revision: int, reason: str) -> bool:
    """End the standing withdrawal before `revision`; False if there is none."""
    ended = (
        update(PriorWithdrawalRow)
        .where(PriorWithdrawalRow.prior_data_id == prior_data_id, PriorWithdrawalRow.ended_revision.is_(None))
        .values(ended_revision=revision, end_reason=reason, ended_at=func.now())
        .returning(PriorWithdrawalRow.id)
    )
    return session.execute(ended, execution_options=FRESH).one_or_none() is not None


def standing_withdrawal(session: Session, prior_data_id: str) -> str | None:
    """Id of the withdrawal that is in force."""
    row = PriorWithdrawalRow
    query = select(row.id).where(row.prior_data_id == prior_data_id, row.ended_revision.is_(None))
    return session.execute(query).scalar_one_or_none()


def in_force_at(session: Session, campaign_id: str, revision: int) -> Sequence[PriorDataRow]:
    """Prior data that count at a revision, in the order of their ids."""
    here = (PriorDataRow.campaign_id == campaign_id) & (PriorDataRow.revision <= revision)
    query = select(PriorDataRow).where(here, ~_withdrawn_at(revision)).order_by(PriorDataRow.id)
    return session.scalars(query).all()


def _withdrawn_at(revision: int) -> ColumnElement[bool]:
    """Whether a withdrawal covers the prior data of the enclosing query at a revision."""
    row = PriorWithdrawalRow
    until = or_(row.ended_revision.is_(None), row.ended_revision > revision)
    return select(row.id).where(row.prior_data_id == PriorDataRow.id, row.revision <= revision, until).exists()


def resting_on_withdrawn(session: Session, campaign_id: str, revisions: Collection[int]) -> set[int]:
    """Those of the revisions at which some prior data counted that are withdrawn now."""
    row = PriorWithdrawalRow
    query = select(row.prior_data_id).where(row.campaign_id == campaign_id, row.ended_revision.is_(None))
    gone = set(session.scalars(query))
    return {r for r in revisions if gone and gone & {found.id for found in in_force_at(session, campaign_id, r)}}


def hashed_with(of_rest: str, sources: Sequence[PriorDataRow]) -> str:
    """Hash of a snapshot, given that of everything else in it; the same if no prior data count."""
    if not sources:
        return of_rest
    digest = hashlib.sha256(of_rest.encode())
    for content in sorted(source.content_hash for source in sources):
        digest.update(f"prior data {content}\n".encode())
    return digest.hexdigest()


def with_prior_data(session: Session, problem: Problem, own: Dataset, sources: Sequence[PriorDataRow]) -> Dataset:
    """The campaign's own readings, and those of its prior data as the science wants them.

    Args:
        session: The open transaction.
        problem: The campaign's problem: it gives the order of elements, process columns and properties.
        own: The campaign's own readings.
        sources: Prior data that count; readings of properties that are not the campaign's are left out.
    """
    parts = [_dataset(problem, source.id, readings(session, source.id, None, source.rows)) for source in sources]
    filled = [part for part in parts if len(part)]
    return joined([own, *filled]) if filled else own


def _dataset(problem: Problem, source: str, rows: Sequence[PriorReadingRow]) -> Dataset:
    known = {p.property for p in problem.properties}
    read = [r for r in rows if r.property in known]
    n = len(read)
    if not read:
        return Dataset.empty(problem.space.dimension + len(problem.space.process_columns), len(known))
    return Dataset(
        X=np.array([point_of(problem, r.composition, r.process) for r in read]),
        **columns_of(problem, read, n),
        films=np.array([f"{source}/{r.film or ''}" for r in read]),
        times=np.zeros(n),
        names=np.array([f"{source}/{r.number:06d}" for r in read]),
        positions=np.array([np.nan if r.position is None else r.position for r in read]),
        sources=np.full(n, source),
    )
