"""Where a campaign's films come from: what each was computed from, computing it again, the graph of all of it."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from filmloop_client.answers import Answer
from filmloop_client.errors import FilmloopError
from filmloop_client.paging import pages
from filmloop_client.transport import Transport

_PAUSE_S = 0.2


class Replay(Answer):
    """A proposal computed again. `verdict` is `identical`, `within_tolerance` or `differs` once it is finished."""

    id: str
    campaign_id: str
    proposal_id: str
    state: str
    verdict: str | None = None
    report: dict[str, Any] | None = None
    """`differences` (which figure, recorded, recomputed, tolerance), `versions` and `environment` that are others."""
    error: str | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None


class Node(Answer):
    """A thing that others came from, or that came from others."""

    id: str
    kind: str
    label: str = ""
    at: datetime | None = None


class Edge(Answer):
    """`target` came from `source`; `relation` says how."""

    source: str
    target: str
    relation: str


class Lineage(Answer):
    """What came from what."""

    campaign_id: str
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    def sources(self, node_id: str) -> tuple[str, ...]:
        """Ids of what a thing came from directly."""
        return tuple(edge.source for edge in self.edges if edge.target == node_id)


class History:
    """How a campaign came to where it is."""

    def __init__(self, transport: Transport, campaign_id: str) -> None:
        """Name a campaign; nothing is sent yet."""
        self._transport = transport
        self._campaign_id = campaign_id

    def inputs(self, proposal_id: str) -> dict[str, Any]:
        """What else than dataset, configuration and model a proposal was computed from.

        Raises:
            NotFound: If a person asked for the film.
        """
        found: dict[str, Any] = self._transport.get(f"/v1/proposals/{proposal_id}/inputs").json()
        return found

    def replay(self, proposal_id: str, *, wait_s: float = 120.0) -> Replay:
        """Compute a proposal again from what was kept of it, and wait for what comes of it.

        Args:
            proposal_id: The proposal.
            wait_s: How long to wait; the replay goes on if that was too short.

        Returns:
            The replay: finished, or not yet if the wait was too short.

        Raises:
            Conflict: If there is nothing to compute: a person asked for the film.
            FilmloopError: If it cannot be computed, e.g. because a file is missing.
        """
        answer = self._transport.post(f"/v1/proposals/{proposal_id}/replays", {})
        asked = Replay.model_validate(answer.json())
        deadline = time.monotonic() + wait_s
        while asked.state in {"pending", "leased"} and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
            asked = Replay.model_validate(self._transport.get(f"/v1/replays/{asked.id}").json())
        if asked.state == "dead":
            raise FilmloopError(f"proposal {proposal_id} could not be computed again: {asked.error}")
        return asked

    def replays(self, proposal_id: str) -> Iterator[Replay]:
        """Every replay of a proposal, oldest first."""
        return pages(self._transport, f"/v1/proposals/{proposal_id}/replays", Replay)

    def lineage(self, of: str | None = None) -> Lineage:
        """What came from what: configurations, revisions, models, proposals, films, batches.

        Args:
            of: Id of one thing, to see only what it came from, directly and indirectly; all if left out.

        Raises:
            NotFound: If the campaign has no such thing.
            Invalid: If the graph is too large to be shown whole: ask for one thing.
        """
        answer = self._transport.get(f"/v1/campaigns/{self._campaign_id}/lineage", {"of": of})
        return Lineage.model_validate(answer.json())
