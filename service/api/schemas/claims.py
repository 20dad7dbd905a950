"""Claims and leases on the wire."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from service.api.schemas.fields import Composition, Incoming, Instant, Label, Note, Outgoing
from service.api.schemas.proposals import ProposalRead

MOST_WAIT_S = 25
MOST_DEVICES = 200


class ClaimCreate(Incoming):
    """A robot asks for a film to make."""

    robot: Label
    """Its name; it holds at most one lease in a campaign."""
    wait_s: Annotated[float, Field(strict=True, ge=0, le=MOST_WAIT_S, allow_inf_nan=False)] = 0
    """Seconds to wait for a film, or for a decision that is on its way."""


class FilmComplete(Incoming):
    """What came of the making of a film."""

    outcome: Literal["ok", "partial", "infeasible", "equipment", "operator"]
    compositions: Annotated[list[Composition], Field(min_length=1, max_length=MOST_DEVICES)] | None = None
    """Composition of each device as made, in the order of the devices; null if it is not known."""
    note: Note | None = None


class FilmFail(Incoming):
    """Why a film is given up."""

    reason: Note
    outcome: Literal["infeasible", "equipment", "operator"]


class LeaseRead(Outgoing):
    """A robot's right to move one proposal."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    token: str
    """To be sent as `Lease-Token` with every action."""
    fence: int
    robot: str
    expires_at: Instant


class ClaimRead(Outgoing):
    """A film to make and the lease under which to make it."""

    lease: LeaseRead
    proposal: ProposalRead


class FilmStartedRead(Outgoing):
    """The making of a film has begun."""

    lease: LeaseRead
    proposal: ProposalRead
    film_id: str
