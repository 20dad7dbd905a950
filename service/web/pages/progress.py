"""How far a campaign has come, for the part `progress` of its page."""

from typing import Any

from sqlalchemy.orm import Session


def progress(session: Session, campaign_id: str) -> dict[str, Any]:  # noqa: ARG001 - read as soon as it is drawn
    """What `templates/campaign/progress.html` shows, under the name `progress`."""
    return {}
