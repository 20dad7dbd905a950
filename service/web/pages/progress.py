"""How far a campaign has come, for the part `progress` of its page."""

from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from service.operations import charts
from service.web.charts.figure import Figure
from service.web.drawings import Words
from service.web.drawings.progress import progress_chart


def progress(session: Session, campaign_id: str) -> Callable[[Words], Figure | None]:
    """What `templates/campaign/progress.html` draws, under the name `progress`: it is given the visitor's words."""
    return partial(progress_chart, charts.progress(session, campaign_id))
