"""Read a campaign's dataset at a revision: the same revision always gives the same answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.orm import Session

from service.errors import NotFound
from service.store import datasets, prior_data, retractions, samples
from service.store.datasets import Head, SnapshotRow
from service.store.samples import SampleReading


class Cursor(NamedTuple):
    """Where a page of a dataset begins: after this reading."""

    revision: int
    uid: str


@dataclass(frozen=True)
class PriorInForce:
    """Prior data that are part of a dataset."""

    id: str
    name: str
    rows: int
    hash: str


@dataclass(frozen=True)
class DatasetView:
    """D_t as it is served, page by page."""

    campaign_id: str
    revision: int
    snapshot_hash: str
    """Of the whole dataset."""
    columns: tuple[str, ...]
    """Elements, then process variables."""
    rows: tuple[SnapshotRow, ...] | None
    """Of this page; none if the caller has this snapshot already."""
    next: Cursor | None = None
    """Where the next page begins; none if this one is the last."""
    retracted: int = 0
    """Readings that do not count at the revision, since they are retracted there."""
    prior: tuple[PriorInForce, ...] = ()
    """Prior data that count at the revision; their rows are apart."""


def read(
    session: Session,
    campaign_id: str,
    revision: int | None = None,
    *,
    after: Cursor | None = None,
    limit: int,
    known: Callable[[str], bool] = lambda _: False,
) -> DatasetView:
    """Read a page of D_t, oldest readings first.

    Args:
        session: A transaction that may write: the hash of a snapshot is kept when it is first read.
        campaign_id: The campaign.
        revision: t; the newest if none.
        after: `next` of the page before.
        limit: Most rows of the page.
        known: Whether the caller has the snapshot of this hash already, so that its rows need not be read.

    Raises:
        NotFound: If there is no such campaign, or no such revision yet.
    """
    campaign = datasets.head(session, campaign_id)
    wanted = _existing(campaign, campaign_id, revision)
    columns = (*campaign.problem.space.elements, *(v.name for v in campaign.problem.space.process))
    snapshot_hash = datasets.snapshot_hash(session, campaign_id, wanted)
    if known(snapshot_hash):
        return DatasetView(campaign_id, wanted, snapshot_hash, columns, None)
    rows = datasets.page(session, campaign_id, wanted, after, limit + 1)
    shown = tuple(rows[:limit])
    following = Cursor(shown[-1].revision, shown[-1].uid) if len(rows) > limit else None
    retracted = retractions.not_counting(session, campaign_id, wanted)
    prior = tuple(
        PriorInForce(row.id, row.name, row.rows, row.content_hash)
        for row in prior_data.in_force_at(session, campaign_id, wanted)
    )
    return DatasetView(campaign_id, wanted, snapshot_hash, columns, shown, following, retracted, prior)


def read_samples(
    session: Session, campaign_id: str, revision: int | None, after: str | None, limit: int
) -> list[SampleReading]:
    """The first `limit` readings of calibration samples in D_t after the id `after`.

    Raises:
        NotFound: If there is no such campaign, or no such revision yet.
    """
    wanted = _existing(datasets.head(session, campaign_id), campaign_id, revision)
    return samples.snapshot(session, campaign_id, wanted, after, limit)


def _existing(campaign: Head, campaign_id: str, revision: int | None) -> int:
    wanted = campaign.revision if revision is None else revision
    if wanted > campaign.revision:
        raise NotFound(f"revision beyond {campaign.revision} in campaign {campaign_id} yet:", str(wanted))
    return wanted
