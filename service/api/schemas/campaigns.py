"""Campaigns on the wire."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from models.catalog import GeneratorChoice, PolicyChoice, SurrogateChoice
from models.composition import SearchSpace
from models.film import FilmGeometry
from models.objective import Objective, OutcomeConstraint
from models.problem import Problem
from service.api.schemas.fields import Incoming, Instant, Label, Outgoing
from service.api.schemas.prior_data import PriorDataCreate
from service.operations.campaigns import Campaign
from service.operations.configurations import Configuration

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


MOST_SOURCES = 8
"""Campaigns whose data a new one may take at once."""


class CampaignCreate(Incoming):
    """A new campaign; it starts as a draft."""

    name: Label
    problem: Problem
    queue_depth: Annotated[int, Field(strict=True, ge=1, le=20)] = 1
    """Ready proposals to keep in store."""
    budget: Budget = Budget()
    lease: LeasePolicy = LeasePolicy()
    prior_data: Annotated[tuple[PriorDataCreate, ...], Field(max_length=MOST_SOURCES)] = ()
    """Other campaigns whose readings it begins with."""

    @model_validator(mode="after")
    def _storable(self) -> Self:
        if "\\u0000" in self.problem.model_dump_json():
            raise ValueError("a text of the problem contains the character NUL, which cannot be stored")
        return self


class ProblemChange(Incoming):
    """Members of the problem that change; each that is given replaces the old one whole, the others stay."""

    space: SearchSpace | None = None
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1, max_length=4)] | None = None
    outcomes: Annotated[tuple[OutcomeConstraint, ...], Field(max_length=8)] | None = None
    film: FilmGeometry | None = None
    surrogate: SurrogateChoice | None = None
    policy: PolicyChoice | None = None
    generator: GeneratorChoice | None = None
    initial_films: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None
    seed: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] | None = None


class CampaignChange(Incoming):
    """What shall be otherwise from now on; what is left out stays."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"problem": {"policy": {"name": "mapping"}}, "queue_depth": 2}]},
    )

    problem: ProblemChange | None = None
    queue_depth: Annotated[int, Field(strict=True, ge=1, le=20)] | None = None
    budget: Budget | None = None
    """Replaces the old budget whole: what it leaves out is not bounded."""
    lease: LeasePolicy | None = None

    @model_validator(mode="after")
    def _storable(self) -> Self:
        if "\\u0000" in self.model_dump_json():
            raise ValueError("a text of the problem contains the character NUL, which cannot be stored")
        return self

    def members(self) -> dict[str, Any]:
        """Members of the problem as JSON."""
        return {} if self.problem is None else self.problem.model_dump(mode="json", exclude_none=True)

    def others(self) -> dict[str, Any]:
        """Everything beside the problem, by the names of the configuration's columns."""
        found: dict[str, Any] = {}
        if self.queue_depth is not None:
            found["queue_depth"] = self.queue_depth
        if self.budget is not None:
            found |= {f"budget_{name}": bound for name, bound in self.budget.model_dump().items()}
        if self.lease is not None:
            found |= {f"lease_{name}": seconds for name, seconds in self.lease.model_dump().items()}
        return found


class CampaignClone(Incoming):
    """A new campaign like another one; it starts as a draft, without the other one's data."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"name": "the same at 600 degC", "changes": {"queue_depth": 2}}]},
    )

    name: Label
    changes: CampaignChange = CampaignChange()
    """What shall be otherwise than there."""
    prior_data: Annotated[tuple[PriorDataCreate, ...], Field(max_length=MOST_SOURCES)] = ()
    """Campaigns whose readings it begins with: the one it is like, if it is to learn from it."""


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


class CloneOriginRead(Outgoing):
    """What a campaign was cloned from."""

    campaign_id: str
    config_revision: int


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
    cloned_from: CloneOriginRead | None
    """The configuration that it began with; null of one that was written anew."""

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
            cloned_from=None if campaign.cloned_from is None else CloneOriginRead(**campaign.cloned_from),
        )


class ConfigurationRead(Outgoing):
    """One numbered configuration of a campaign, in force or not; it never changes."""

    campaign_id: str
    number: int
    problem: dict[str, Any]
    queue_depth: int
    budget: BudgetRead
    lease: LeasePolicyRead
    created_at: Instant

    @classmethod
    def of(cls, found: Configuration) -> Self:
        """A configuration as it goes out."""
        return cls(
            campaign_id=found.campaign_id,
            number=found.number,
            problem=found.problem,
            queue_depth=found.queue_depth,
            budget=BudgetRead(films=found.budget_films, devices=found.budget_devices, hours=found.budget_hours),
            lease=LeasePolicyRead(ttl_s=found.lease_ttl_s, overdue_s=found.lease_overdue_s),
            created_at=found.created_at,
        )
