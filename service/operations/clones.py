"""A campaign that begins where another one's configuration stands: the same question, asked anew, with no data."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from models.problem import Problem
from service.operations import configurations
from service.operations.campaigns import Campaign, get
from service.store import campaigns, events


def clone(
    session: Session, campaign_id: str, name: str, problem: Mapping[str, Any], others: Mapping[str, Any]
) -> Campaign:
    """Store a draft campaign with the configuration that is in force in another one.

    Args:
        session: The open transaction.
        campaign_id: The other one, in any state.
        name: Of the new one.
        problem: Members of the problem as JSON that are otherwise; each replaces the old one whole.
        others: Columns of `CampaignConfigRow` beside the problem that are otherwise.

    Raises:
        NotFound: If there is none of this id.
        InvalidInput: If the changed problem is none.
    """
    row = campaigns.get(session, campaign_id)
    values = configurations.values_of(campaigns.config(session, campaign_id, row.config_revision))
    if problem:
        changed = configurations.with_members(Problem.model_validate(values["problem"]), problem)
        values["problem"] = changed.model_dump(mode="json")
    origin = {"campaign_id": campaign_id, "config_revision": row.config_revision}
    clone_id = campaigns.create(session, name, values | dict(others), cloned_from=origin)
    events.append(session, clone_id, "campaign.created", {"config_revision": 1, "cloned_from": origin})
    return get(session, clone_id)
