"""One training: take the job, read D_t, learn, judge, write. torch is loaded with the first one."""

import time
from collections.abc import Callable
from functools import cache
from typing import Protocol

import structlog
from celery import Task
from celery.signals import worker_ready

from models.errors import NotEnoughData, ScienceError
from service.errors import LeaseLost
from service.operations import decisions, trainings
from service.operations.trainings import GeneratorRecord, TrainingInput
from service.settings import Settings
from service.store import schema
from service.store.session import Sessions, make_engine, make_sessions
from service.telemetry import bound
from workers.pulse import Pulse
from workers.trainer import app, settings

log = structlog.get_logger("filmloop.train")

Learn = Callable[[Settings, TrainingInput, Callable[[str], None]], GeneratorRecord]

pulse = Pulse(settings.worker.silent_s, settings.worker.pulse)


class _Worker(Protocol):
    """What Celery tells of the worker that became ready."""

    hostname: str


@app.task(name="filmloop.train", bind=True)  # type: ignore[untyped-decorator, no-untyped-call]  # Celery ships no types
def train(self: Task, job_id: str) -> None:
    """Train the generator that `job_id` asks for, if it is still wanted."""
    with bound(job_id=job_id), pulse.working():
        run(worker_sessions(), settings, job_id, worker=str(self.request.hostname))


@worker_ready.connect  # type: ignore[untyped-decorator]  # Celery ships no types
def take_up(sender: _Worker, **_: object) -> None:
    """Give back what a dead process of this worker's name had in hand; the sweep rings for it."""
    log.info("ready")
    if given_back := decisions.abandon_decisions(worker_sessions(), sender.hostname):
        log.warning("gave back what the last process of this name was doing", jobs=given_back)


@cache
def worker_sessions() -> Sessions:
    """Of this process."""
    engine = make_engine(settings.require_database_url(), pool_size=2)
    schema.refuse_other(engine)
    return make_sessions(engine)


def run(sessions: Sessions, settings: Settings, job_id: str, worker: str) -> str | None:
    """Read, learn, write.

    Args:
        sessions: Where the record is.
        settings: For the artifact store and the machine.
        job_id: The job that was rung for.
        worker: Name of this worker, one of a kind among all that run.

    Returns:
        Id of the model version; None if none was written.
    """
    # Brings torch: an idle worker does without its memory, and no lease runs out while a slow machine loads it.
    from workers.learning import learn  # noqa: PLC0415

    job = trainings.claim_training(sessions, job_id, worker)
    if job is None:
        return None
    with bound(campaign_id=job.campaign_id, revision=job.revision):
        try:
            return _train(sessions, settings, job, learn)
        except LeaseLost:
            log.warning("the lease was lost; another worker has the training")
        except NotEnoughData as error:
            trainings.leave_training(sessions, job, str(error))
        except ScienceError as error:
            log.warning("no training is possible", error=str(error), kind=type(error).__name__)
            _failed(sessions, job, error, retry=False)
        except Exception as error:
            # As in a decision: the job runner is the one place that must outlive everything, want of memory included.
            log.exception("the training failed")
            _failed(sessions, job, error, retry=True)
        return None


def _train(sessions: Sessions, settings: Settings, job: TrainingInput, learn: Learn) -> str | None:
    began = time.perf_counter()
    learned = learn(settings, job, _heartbeat(sessions, job))
    version = trainings.publish_training(sessions, job, learned)
    took, verdict = round(time.perf_counter() - began, 2), learned.health["verdict"]
    log.info("generator trained", version=version, verdict=verdict, seconds=took)
    return version


def _heartbeat(sessions: Sessions, job: TrainingInput) -> Callable[[str], None]:
    return pulse.renewing(lambda: decisions.renew_decision(sessions, job.job_id, job.fence))


def _failed(sessions: Sessions, job: TrainingInput, error: Exception, *, retry: bool) -> None:
    text = f"{type(error).__name__}: {error}"
    decisions.fail_job(sessions, job.job_id, job.campaign_id, job.fence, text, retry=retry)
