"""Read a campaign's dataset at a revision: the same revision always gives the same answer."""

from collections.abc import Callable
from dataclasses import dataclass

from models.problem import Problem
from service.errors import NotFound
from service.store import datasets
from service.store.datasets import SnapshotRow
from service.store.session import Sessions


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
    sessions: Sessions, campaign_id: str, revision: int | None = None, known: Callable[[str], bool] = lambda _: False
) -> DatasetView:
    """Read D_t.

    Args:
        sessions: Where to read.
        campaign_id: The campaign.
        revision: t; the newest if none.
        known: Whether the caller has the snapshot of this hash already, so that its rows need not be read.

    Raises:
        NotFound: If there is no such campaign, or no such revision yet.
    """
    with sessions.begin() as session:
        campaign = datasets.head(session, campaign_id)
        problem, newest = campaign.problem, campaign.revision
        wanted = newest if revision is None else revision
        if wanted > newest:
            raise NotFound("revision", f"{wanted} of campaign {campaign_id}; the newest is {newest}")
        kept = datasets.kept_hash(session, campaign_id, wanted)
        if kept is not None and known(kept):
            return DatasetView(campaign_id, wanted, kept, _columns(problem), None)
        rows = datasets.snapshot(session, campaign_id, wanted)
        computed = datasets.snapshot_hash(session, campaign_id, wanted, rows)
        seen = tuple(rows) if not known(computed) else None
        return DatasetView(campaign_id, wanted, computed, _columns(problem), seen)


def _columns(problem: Problem) -> tuple[str, ...]:
    return (*problem.space.elements, *(variable.name for variable in problem.space.process))
