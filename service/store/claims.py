"""Where a robot stands that asks for a film: everything a claim must know first, in one look."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.errors import NotFound
from service.store.jobs import DECIDE, LIVE
from service.store.tables import CampaignRow, JobRow, LeaseRow, ProposalRow


@dataclass(frozen=True)
class Standing:
    """A campaign as one robot finds it."""

    state: str
    """Of the campaign."""
    revision: int
    config_revision: int
    behind: bool
    """Whether its newest decision has not seen its newest data."""
    deciding: bool
    """Whether a decision waits or is being made."""
    ready: bool
    """Whether a proposal is ready."""
    lapsed: bool
    """Whether some lease is over and nobody has said so yet."""
    lease_id: str | None
    """The robot's live lease, lapsed or not."""


def standing(session: Session, campaign_id: str, robot: str) -> Standing:
    """Look once.

    Raises:
        NotFound: If there is no such campaign.
    """
    deciding = (JobRow.campaign_id == campaign_id) & (JobRow.kind == DECIDE)
    jobs = select(JobRow.id).where(deciding, JobRow.state.in_(LIVE))
    ready = select(ProposalRow.id).where(ProposalRow.campaign_id == campaign_id, ProposalRow.state == "ready")
    live = select(LeaseRow.id).where(LeaseRow.campaign_id == campaign_id, LeaseRow.state == "live")
    lapsed = (
        live.join(ProposalRow, ProposalRow.id == LeaseRow.proposal_id)
        .where(LeaseRow.expires_at < func.now())
        .where(ProposalRow.state.in_(("leased", "running")))
    )
    query = select(
        CampaignRow.state,
        CampaignRow.revision,
        CampaignRow.config_revision,
        func.coalesce(CampaignRow.decided_revision, -1) < CampaignRow.revision,
        jobs.exists(),
        ready.exists(),
        lapsed.exists(),
        live.where(LeaseRow.robot == robot).scalar_subquery(),
    ).where(CampaignRow.id == campaign_id)
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound("campaign", campaign_id)
    return Standing(*row)
