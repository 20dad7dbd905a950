"""Naive variants of a worker, each without one care; for a process of its own, where parts may be replaced for good.

As a Celery application, `celery -A benchmarks.faults.naive_workers:app`, it believes every bell.
"""

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy import func, update
from sqlalchemy.orm import Session

from service.operations import decisions
from service.store import jobs
from service.store.tables import JobRow


def believes_every_bell() -> None:
    """Does a job whenever it is rung for, whether it is done or in other hands."""

    def take(session: Session, job_id: str, worker: str, kind: str) -> JobRow | None:  # noqa: ARG001 - as the real one
        held = {"state": "leased", "fence": JobRow.fence + 1, "attempt": JobRow.attempt + 1, "worker": worker}
        lease = update(JobRow).where(JobRow.id == job_id).values(**held, lease_until=func.now() + timedelta(seconds=30))
        return session.scalars(lease.returning(JobRow), execution_options={"populate_existing": True}).one_or_none()

    decisions.take_job = take


def closes_first() -> None:
    """Closes the job in a transaction of its own, before it publishes."""
    finish = jobs.finish

    def closed(session: Session, *args: Any, **kwargs: Any) -> bool:  # noqa: ANN401 - as the real one
        found = finish(session, *args, **kwargs)
        session.commit()
        return found

    jobs.finish = closed


def beats_beside() -> None:
    """Says from a thread beside the work that the work goes on."""
    from workers import decide  # noqa: PLC0415 - not all variants need torch

    def beat() -> None:
        while True:
            decide.pulse.beat()
            threading.Event().wait(0.1)

    threading.Thread(target=beat, daemon=True).start()


def lets_failures_through() -> None:
    """Trains with plain algebra: no jitter, no noise, and nothing serves when it fails."""
    from workers import decide  # noqa: PLC0415

    real = decide.train

    def train(problem: Any, dataset: Any, **how: Any) -> Any:  # noqa: ANN401 - as the real one
        X, Y = dataset.X, dataset.Y[:, 0]
        distances = ((X[:, None, :] - X[None, :, :]) ** 2).sum(axis=2)
        factor = np.linalg.cholesky(np.exp(-distances / 0.1))
        if not np.isfinite(np.linalg.solve(factor, (Y - Y.mean()) / Y.std())).all():
            raise ArithmeticError("the weights are not finite")
        return real(problem, dataset, **how)

    decide.train = train


VARIANTS: dict[str, Callable[[], None]] = {
    variant.__name__: variant for variant in (believes_every_bell, closes_first, beats_beside, lets_failures_through)
}

if chosen := os.environ.get("FILMLOOP_FAULT_WORKER"):
    VARIANTS[chosen]()
    from workers.app import app

    __all__ = ["app"]
