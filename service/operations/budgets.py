"""What a campaign may spend: films, devices, hours of its robots. Held at every decision and at every claim."""

from sqlalchemy.orm import Session

from service.errors import BudgetSpent
from service.store.budgets import Spent, spent
from service.store.tables import CampaignConfigRow

__all__ = ["films_left", "has_budget", "refuse_if_spent"]


def has_budget(config: CampaignConfigRow) -> bool:
    """Whether anything is bounded."""
    bounds = (config.budget_films, config.budget_devices, config.budget_hours)
    return any(bound is not None for bound in bounds)


def films_left(session: Session, config: CampaignConfigRow) -> int | None:
    """How many more films a decision may propose; None if nothing is bounded."""
    if not has_budget(config):
        return None
    so_far = spent(session, config.campaign_id, promised=True)
    if config.budget_hours is not None and so_far.hours >= config.budget_hours:
        return 0
    left = []
    if config.budget_films is not None:
        left.append(config.budget_films - so_far.films)
    if config.budget_devices is not None:
        left.append((config.budget_devices - so_far.devices) // _devices_of(config))
    return max(0, min(left)) if left else None


def refuse_if_spent(
    session: Session, config: CampaignConfigRow, devices: int | None = None, *, promised: bool = False
) -> None:
    """Make sure that another film may be begun.

    Args:
        session: The open transaction.
        config: The configuration in force.
        devices: Of that film; those of the campaign's films if None.
        promised: Whether films that people asked for and that wait count, too.

    Raises:
        BudgetSpent: If the budget has no room for it; what bounds it is named.
    """
    if not has_budget(config):
        return
    so_far = spent(session, config.campaign_id, promised=promised)
    if bound := _bound(config, so_far, devices or _devices_of(config)):
        raise BudgetSpent(f"{bound}; raise the budget, complete the campaign, or wait for a film that fails")


def _bound(config: CampaignConfigRow, so_far: Spent, devices: int) -> str | None:
    """Which part of the budget has no room for a film of so many devices; none if it has."""
    if config.budget_films is not None and so_far.films >= config.budget_films:
        return f"the budget of {config.budget_films} film(s) is spent: {so_far.films} are made or on their way"
    if config.budget_devices is not None and so_far.devices + devices > config.budget_devices:
        there = f"{so_far.devices} are made or on their way"
        return f"the budget of {config.budget_devices} device(s) has no room for {devices} more: {there}"
    if config.budget_hours is not None and so_far.hours >= config.budget_hours:
        return f"the budget of {config.budget_hours:g} hour(s) is spent: robots worked for {so_far.hours:.2f}"
    return None


def _devices_of(config: CampaignConfigRow) -> int:
    return int(config.problem["film"]["devices"])
