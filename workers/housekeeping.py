"""Housekeeping: every few seconds expire leases, reopen lost jobs, and ring for work that no message announced.

Run: `python -m workers.housekeeping`. It needs no broker to keep the record right; without one it only cannot ring.
"""

import signal
import threading
from types import FrameType

import structlog
from sqlalchemy.exc import OperationalError

from service.operations.decisions import sweep
from service.settings import Settings
from service.store.bell import DECIDE_QUEUE, DECIDE_TASK, remind
from service.store.session import Sessions, make_engine, make_sessions
from service.telemetry import configure_logging

log = structlog.get_logger("filmloop.housekeeping")


def tick(sessions: Sessions, broker_url: str) -> int:
    """Sweep once and ring for the jobs that wait; return how many wait."""
    waiting = sweep(sessions)
    if waiting:
        remind(broker_url, DECIDE_QUEUE, DECIDE_TASK, waiting)
    return len(waiting)


def run(settings: Settings, stop: threading.Event) -> None:
    """Sweep until told to stop. A database that is away is reported once, and waited for."""
    sessions = make_sessions(make_engine(settings.require_database_url()))
    away = False
    while not stop.wait(settings.worker.sweep_s):
        try:
            tick(sessions, settings.require_broker_url())
        except OperationalError as error:
            if not away:
                log.warning("database is away, waiting for it", error=str(error).splitlines()[0])
            away = True
        else:
            if away:
                log.info("database is back")
            away = False


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    settings = Settings()
    configure_logging(settings)
    stop = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        log.info("stopping", signal=signal.Signals(number).name)
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    log.info("housekeeping started", every_s=settings.worker.sweep_s)
    run(settings, stop)


if __name__ == "__main__":
    main()
