"""Housekeeping: every few seconds expire leases, reopen lost jobs, and ring for work that no message announced.

Run: `python -m workers.housekeeping`. It needs no broker to keep the record right; without one it only cannot ring.
"""

import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

import structlog
from sqlalchemy.exc import OperationalError

from service.errors import Unavailable
from service.operations import generations, replays, trainings
from service.operations.decisions import sweep
from service.settings import Settings
from service.store import schema
from service.store.bell import (
    DECIDE_QUEUE,
    DECIDE_TASK,
    GENERATE_TASK,
    REPLAY_TASK,
    TRAIN_QUEUE,
    TRAIN_TASK,
    remind,
)
from service.store.session import Sessions, make_engine, make_sessions
from service.telemetry import configure_logging

log = structlog.get_logger("filmloop.housekeeping")

AT_ONCE = 20
"""Replays or generations that one sweep rings for: the next sweeps ring for the others."""


def tick(sessions: Sessions, broker_url: str, summons: Path | None = None) -> int:
    """Sweep once and ring for the jobs that wait; return how many wait."""
    waiting, to_train = sweep(sessions), trainings.waiting(sessions)
    to_generate, to_replay = generations.due(sessions), replays.due(sessions)
    if to_train and summons is not None:
        summons.touch()
    if to_train:
        remind(broker_url, TRAIN_QUEUE, TRAIN_TASK, to_train)
    if waiting:
        remind(broker_url, DECIDE_QUEUE, DECIDE_TASK, waiting)
    elif to_generate:  # while decisions wait, whatever people ask does, too
        remind(broker_url, DECIDE_QUEUE, GENERATE_TASK, to_generate[:AT_ONCE])
    elif to_replay:
        remind(broker_url, DECIDE_QUEUE, REPLAY_TASK, to_replay[:AT_ONCE])
    return len(waiting) + len(to_train) + len(to_generate) + len(to_replay)


def run(settings: Settings) -> NoReturn:
    """Sweep for ever. A database that is away is reported once, and waited for."""
    engine = make_engine(settings.require_database_url())
    schema.refuse_other(engine)
    sessions = make_sessions(engine)
    away = False
    while True:
        time.sleep(settings.worker.sweep_s)
        try:
            tick(sessions, settings.require_broker_url(), settings.worker.summons)
        except (OperationalError, Unavailable) as error:
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
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    log.info("housekeeping started", every_s=settings.worker.sweep_s)
    run(settings)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """Leave at once: a sweep that is cut is rolled back by the database, and the next process does it again."""
    log.info("stopping", signal=signal.Signals(number).name)
    sys.exit(0)


if __name__ == "__main__":
    main()
