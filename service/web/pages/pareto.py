"""Trade-offs of a campaign with several objectives."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from models.objective import Objective
from service.errors import NotFound
from service.operations import campaigns, charts, insights
from service.operations.insights import Insight
from service.web.dependencies import CampaignId, SessionsDependency
from service.web.drawings.pareto import TradeOffs, trade_offs
from service.web.navigation import CAMPAIGN_TABS
from service.web.rendering import render, words_of

router = APIRouter()

Name = Annotated[str | None, Query(max_length=64)]


@router.get("/campaigns/{campaign_id}/pareto")
def show_trade_offs(
    request: Request, campaign_id: CampaignId, sessions: SessionsDependency, x: Name = None, y: Name = None
) -> Response:
    """The page; of one objective it says where the best composition is."""
    with sessions() as session:
        campaign = campaigns.get(session, campaign_id)
        objectives = charts.problem_of(session, campaign_id).objectives
        if len(objectives) < 2:
            return render(request, "pareto.html", campaign=campaign, tabs=CAMPAIGN_TABS, tab="pareto", one=True)
        first, second = _chosen(objectives, x, y)
        read, of = charts.pairs(session, campaign_id, (first.property, second.property))
        numbers = charts.film_numbers(session, campaign_id, sorted({p.film_id for p in read}))
        try:
            found: Insight | None = insights.pareto(session, campaign_id)
        except NotFound:  # not explained yet: what was read is shown alone
            found = None
    said = None if found is None else found.said
    scene = TradeOffs(first, second, read, of, said, len(objectives) == 2, numbers)
    return render(
        request,
        "pareto.html",
        campaign=campaign,
        tabs=CAMPAIGN_TABS,
        tab="pareto",
        one=False,
        objectives=objectives,
        chosen=(first.property, second.property),
        found=found,
        figure=trade_offs(scene, words_of(request)),
    )


def _chosen(objectives: tuple[Objective, ...], x: str | None, y: str | None) -> tuple[Objective, Objective]:
    """Two different objectives: those that were asked for, as far as they exist."""
    by_name = {o.property: o for o in objectives}
    wanted = [by_name[name] for name in (x, y) if name is not None and name in by_name]
    two = list(dict.fromkeys(wanted)) + [o for o in objectives if o not in wanted]
    return two[0], two[1]
