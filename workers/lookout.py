"""A worker without a broker looks into the record itself: nobody can ring for it, and decisions shall come."""

import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import OperationalError

from service.errors import Unavailable
from service.store.bell import broker_answers

log = structlog.get_logger("filmloop.lookout")

DEAF_S = 35.0
"""Celery asks a broker that was away again after at most 30 s: so long a worker may be deaf to one that is back."""


def keep(broker_url: str | None, every_s: float, look: Callable[[], None]) -> None:
    """Look for work in a thread beside, whenever the broker does not answer and for `DEAF_S` after that.

    Args:
        broker_url: Where the broker should be.
        every_s: Seconds between two looks.
        look: Does the work that waits.
    """

    def watch() -> None:
        away_at: float | None = None
        while True:
            time.sleep(every_s)
            if not broker_answers(broker_url):
                if away_at is None:
                    log.warning("the broker is away: looking for work in the record")
                away_at = time.monotonic()
            elif away_at is not None and time.monotonic() - away_at > DEAF_S:
                log.info("the broker is back")
                away_at = None
            if away_at is not None:
                _look(look)

    threading.Thread(target=watch, name="lookout", daemon=True).start()


def _look(look: Callable[[], None]) -> None:
    try:
        look()
    except (OperationalError, Unavailable) as error:
        log.warning("the record is away, too", error=str(error).splitlines()[0])
