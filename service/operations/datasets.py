"""Read a campaign's dataset at a revision: the same revision always gives the same answer."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from service.errors import NotFound
from service.store import datasets
from service.store.datasets import SnapshotRow


@dataclass(frozen=True)
class DatasetView:
    """D_t as it is served."""

    campaign_id: str
    revision: int
    snapshot_hash: str
    columns: tuple[str, ...]
    """Elements, then process variables."""
    rows: tuple[SnapshotRow, ...] | None
    """None if the caller has this snapshot already."""


def read(
    session: Session, campaign_id: str, revision: int | None = None, known: Callable[[str], bool] = lambda _: False
) -> DatasetView:
    """Read D_t.

    Args:
        session: A transaction that may write: the hash of a snapshot is kept when it is first read.
        campaign_id: The campaign.
        revision: t; the newest if none.
        known: Whether the caller has the snapshot of this hash already, so that its rows need not be read.

    Raises:
        NotFound: If there is no such campaign, or no such revision yet.
    """
    campaign = datasets.head(session, campaign_id)
    wanted = campaign.revision if revision is None else revision
    if wanted > campaign.revision:
        raise NotFound(f"revision beyond {campaign.revision} in campaign {campaign_id} yet:", str(wanted))
    columns = (*campaign.problem.space.elements, *(v.name for v in campaign.problem.space.process))
    kept = datasets.kept_hash(session, campaign_id, wanted)
    if kept is not None and known(kept):
        return DatasetView(campaign_id, wanted, kept, columns, None)
    rows = datasets.snapshot(session, campaign_id, wanted)
    computed = datasets.snapshot_hash(session, campaign_id, wanted, rows)
    return DatasetView(campaign_id, wanted, computed, columns, None if known(computed) else tuple(rows))
