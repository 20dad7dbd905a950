"""What an operator watches of the record: queues, leases, decisions, models, as they stand now."""

from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from service.store import metrics
from service.store.metrics import Decisions, Jobs
from service.store.session import Sessions

log = structlog.get_logger("filmloop.metrics")


@dataclass(frozen=True)
class Standing:
    """The whole record in a few figures."""

    jobs: Jobs
    decisions: Decisions
    proposals: dict[str, int]
    leases: int
    overdue_lease_s: float
    leases_ended: dict[str, int]
    campaigns: dict[str, int]
    readings: dict[str, int]
    behind: dict[str, int]
    calibrations: list[tuple[str, int, float, float]]


def standing(sessions: Sessions) -> Standing | None:
    """Read it now; none if the database does not answer."""
    try:
        with sessions() as session:
            leases, overdue_s = metrics.leases(session)
            return Standing(
                jobs=metrics.jobs(session),
                decisions=metrics.decisions(session),
                proposals=metrics.proposals(session),
                leases=leases,
                overdue_lease_s=overdue_s,
                leases_ended=metrics.leases_ended(session),
                campaigns=metrics.campaigns(session),
                readings=metrics.readings(session),
                behind=metrics.behind(session),
                calibrations=metrics.calibrations(session),
            )
    except SQLAlchemyError as error:  # what is scraped says that the database is away, and the log why
        log.warning("the record could not be read", error=type(error).__name__, cause=str(error.__cause__)[:500])
        return None
