"""What came from what in a campaign, as a graph: configurations, revisions, models, proposals, films, batches.

| edge from | to | relation |
| --- | --- | --- |
| configuration, revision | the next one of its kind | `followed_by` |
| batch, retraction, composition map, film, prior data, their withdrawal | revision | `caused` |
| revision, configuration | model version | `trained` |
| model version | model version | `started`: its hyperparameters began the search |
| revision, configuration, model version | proposal | `chose` |
| proposal in flight | proposal | `beside`: the one was chosen knowing of the other |
| proposal | film | `made` |
| film | batch | `read` |
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from service.errors import InvalidInput, NotFound
from service.store import campaigns, lineage

MOST = 20_000
"""Most revisions, proposals or batches of a graph that is shown whole."""


@dataclass(frozen=True)
class Node:
    """A thing that others came from, or that came from others."""

    id: str
    """Its id; `configuration:2`, `revision:7` where it has a number only."""
    kind: str
    label: str
    at: datetime | None


@dataclass(frozen=True)
class Edge:
    """`target` came from `source`."""

    source: str
    target: str
    relation: str


@dataclass(frozen=True)
class Lineage:
    """Nodes and edges, oldest first within each kind."""

    campaign_id: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def read(session: Session, campaign_id: str, of: str | None = None) -> Lineage:
    """The graph of a campaign, or only what one thing came from.

    Args:
        session: One consistent view.
        campaign_id: The campaign.
        of: Id of the thing; all if None.

    Raises:
        NotFound: If there is no such campaign, or no such thing in it.
        InvalidInput: If the graph is too large to be shown whole.
    """
    campaigns.get(session, campaign_id)
    size = lineage.count(session, campaign_id)
    if of is None and max(size) > MOST:
        detail = f"the graph has {size.revisions} revisions, {size.proposals} proposals and {size.batches} batches"
        raise InvalidInput(f"{detail}; it is shown whole up to {MOST} of each: ask for one thing by 'of'")
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    for found in _graph(session, campaign_id):
        if isinstance(found, Node):
            nodes.setdefault(found.id, found)
        else:
            edges.append(found)
    if of is not None:
        if of not in nodes:
            raise NotFound(f"thing in the lineage of campaign {campaign_id}", of)
        kept = _ancestors(of, edges)
        nodes = {key: node for key, node in nodes.items() if key in kept}
    shown = tuple(edge for edge in edges if edge.source in nodes and edge.target in nodes)
    return Lineage(campaign_id, tuple(nodes.values()), shown)


def _graph(session: Session, campaign_id: str) -> Iterator[Node | Edge]:
    yield from _numbered(session, campaign_id)
    for model in lineage.models(session, campaign_id):
        yield Node(model.id, "model_version", model.name, model.created_at)
        yield Edge(_revision(model.revision), model.id, "trained")
        yield Edge(_configuration(model.config_revision), model.id, "trained")
        if model.started_from_id is not None:
            yield Edge(model.started_from_id, model.id, "started")
    yield from _films(session, campaign_id)
    for batch_id, instrument, revision, at in lineage.batches(session, campaign_id):
        yield Node(batch_id, "batch", instrument, at)
        yield Edge(batch_id, _revision(revision), "caused")
    for batch_id, film_id in lineage.read_films(session, campaign_id):
        yield Edge(film_id, batch_id, "read")


def _numbered(session: Session, campaign_id: str) -> Iterator[Node | Edge]:
    for number, at in lineage.configurations(session, campaign_id):
        yield Node(_configuration(number), "configuration", str(number), at)
        if number > 1:
            yield Edge(_configuration(number - 1), _configuration(number), "followed_by")
    for number, cause, cause_id, at in lineage.revisions(session, campaign_id):
        yield Node(_revision(number), "revision", cause, at)
        if number > 0:
            yield Edge(_revision(number - 1), _revision(number), "followed_by")
        if cause_id is not None and cause != "batch":  # batches come with their readings
            if cause != "as_made":  # that one is a film, which is a node by itself
                yield Node(cause_id, cause, cause, at)
            yield Edge(cause_id, _revision(number), "caused")


def _films(session: Session, campaign_id: str) -> Iterator[Node | Edge]:
    beside = lineage.beside(session, campaign_id)
    for proposal in lineage.proposals(session, campaign_id):
        yield Node(proposal.id, "proposal", f"{proposal.source}, {proposal.state}", proposal.created_at)
        yield Edge(_configuration(proposal.config_revision), proposal.id, "chose")
        if proposal.source != "person":
            yield Edge(_revision(proposal.revision), proposal.id, "chose")
        if proposal.model_version_id is not None:
            yield Edge(proposal.model_version_id, proposal.id, "chose")
        for other in beside.get(proposal.job_id or "", ()):
            yield Edge(other, proposal.id, "beside")
        if proposal.film_id is not None:
            yield Node(proposal.film_id, "film", proposal.robot or "", proposal.started_at)
            yield Edge(proposal.id, proposal.film_id, "made")


def _ancestors(of: str, edges: list[Edge]) -> set[str]:
    came_from: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        came_from[edge.target].append(edge.source)
    found, waiting = {of}, [of]
    while waiting:
        fresh = [source for source in came_from[waiting.pop()] if source not in found]
        found.update(fresh)
        waiting += fresh
    return found


def _configuration(number: int) -> str:
    return f"configuration:{number}"


def _revision(number: int) -> str:
    return f"revision:{number}"
