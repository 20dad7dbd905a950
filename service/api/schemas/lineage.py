"""The graph of what came from what, on the wire."""

from typing import Literal

from pydantic import ConfigDict

from service.api.schemas.fields import Instant, Outgoing


class NodeRead(Outgoing):
    """A thing that others came from, or that came from others."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    """Its id; `configuration:2`, `revision:7` where it has a number only."""
    kind: Literal[
        "configuration",
        "revision",
        "batch",
        "composition",
        "retraction",
        "reversal",
        "prior_data",
        "prior_withdrawal",
        "prior_reinstatement",
        "model_version",
        "proposal",
        "film",
    ]
    label: str
    at: Instant | None


class EdgeRead(Outgoing):
    """`target` came from `source`."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    source: str
    target: str
    relation: Literal["followed_by", "caused", "trained", "started", "chose", "beside", "made", "read"]


class LineageRead(Outgoing):
    """What came from what in a campaign."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    campaign_id: str
    nodes: list[NodeRead]
    edges: list[EdgeRead]
