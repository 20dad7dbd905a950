"""Campaigns on the wire."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from models.problem import Problem
from service.api.schemas.fields import Incoming, Instant, Label, Outgoing
from service.operations.campaigns import Campaign

DAY_S = 86_400
MOST_FILMS = 1_000_000
MOST_DEVICES = 200 * MOST_FILMS
MOST_HOURS = 1_000_000.0


class Budget(Incoming):
    """How much may be spent."""

    films: Annotated[int, Field(strict=True, ge=1, le=MOST_FILMS)] | None = None
    """Most films that may be made; null means no bound."""
    devices: Annotated[int, Field(strict=True, ge=1, le=MOST_DEVICES)] | None = None
    """Most devices on films that may be made."""
    hours: Annotated[float, Field(strict=True, gt=0, le=MOST_HOURS, allow_inf_nan=False)] | None = None
    """Hours that robots may work on films; one that was begun before they were spent is finished."""


class LeasePolicy(Incoming):
    """How long a robot may be silent."""

    ttl_s: Annotated[int, Field(strict=True, ge=5, le=DAY_S)] = 300
    """Seconds from a claim or renewal until a film that was not started goes back to the queue."""
    overdue_s: Annotated[int, Field(strict=True, ge=60, le=365 * DAY_S)] = DAY_S
    """Seconds from the start or renewal until a film in the making is overdue."""


class CampaignCreate(Incoming):
    """A new campaign; it starts as a draft."""

    name: Label
    problem: Problem
    queue_depth: Annotated[int, Field(strict=True, ge=1, le=20)] = 1
    """Ready proposals to keep in store."""
    budget: Budget = Budget()
    lease: LeasePolicy = LeasePolicy()

    @model_validator(mode="after")
    def _storable(self) -> Self:
        if "\\u0000" in self.problem.model_dump_json():
            raise ValueError("a text of the problem contains the character NUL, which cannot be stored")
        return self


class CampaignAct(Incoming):
    """What to do with a campaign."""

    action: Literal["activate", "pause", "resume", "drain", "complete", "abort"]


class BudgetRead(Outgoing):
    """How much may be spent."""

    films: int | None
    devices: int | None
    hours: float | None


class LeasePolicyRead(Outgoing):
    """How long a robot may be silent."""

    ttl_s: int
    overdue_s: int


class CampaignRead(Outgoing):
    """A campaign as it stands, with the configuration in force."""

    id: str
    name: str
    state: Literal["draft", "active", "paused", "draining", "completed", "aborted"]
    config_revision: int
    problem: dict[str, Any]
    """`models.problem.Problem` as it was stored, with every default written out."""
    queue_depth: int
    budget: BudgetRead
    lease: LeasePolicyRead
    revision: int
    """Newest revision of its dataset."""
    films_made: int
    """Films that were made, measured or not."""
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, campaign: Campaign) -> Self:
        """A campaign as it goes out."""
        return cls(
            id=campaign.id,
            name=campaign.name,
            state=campaign.state,
            config_revision=campaign.config_revision,
            problem=campaign.problem,
            queue_depth=campaign.queue_depth,
            budget=BudgetRead(
                films=campaign.budget_films, devices=campaign.budget_devices, hours=campaign.budget_hours
            ),
            lease=LeasePolicyRead(ttl_s=campaign.lease_ttl_s, overdue_s=campaign.lease_overdue_s),
            revision=campaign.revision,
            films_made=campaign.films_made,
            created_at=campaign.created_at,
            updated_at=campaign.updated_at,
        )
