"""One generation: read what is known, draw and predict compositions, report."""

from collections.abc import Callable

import structlog
from celery import Task

from models.checkpoint import from_bytes
from models.designs import Known, design
from models.errors import IncompatibleCheckpoint, ScienceError
from models.surrogates.base import ModelBundle
from service.errors import ArtifactDamaged, LeaseLost
from service.operations import decisions, generations
from service.operations.generations import GenerationInput
from service.operations.publication import storable
from service.settings import Settings
from service.store.session import Sessions
from service.telemetry import bound
from workers import decide
from workers.app import app, settings

log = structlog.get_logger("filmloop.generate")


@app.task(name="filmloop.generate", bind=True)  # type: ignore[untyped-decorator, no-untyped-call]  # Celery ships no types
def generate(self: Task, generation_id: str) -> None:
    """Answer a generation, after every decision that waits: robots are served first."""
    sessions, worker = decide.worker_sessions(), str(self.request.hostname)
    with decide.pulse.working():
        for job_id in decisions.waiting(sessions):
            decide.run(sessions, settings, job_id, worker)
        with bound(generation_id=generation_id):
            run(sessions, settings, generation_id, worker)


def run(sessions: Sessions, settings: Settings, generation_id: str, worker: str) -> bool:
    """Read, think, write; whether an answer was written.

    Args:
        sessions: Where the record is.
        settings: For the artifact store.
        generation_id: The generation that was rung for.
        worker: Name of this worker.
    """
    job = generations.claim_generation(sessions, generation_id, worker)
    if job is None:
        return False
    try:
        return _answer(sessions, settings, job, _heartbeat(sessions, job))
    except LeaseLost:
        log.warning("the lease was lost; another worker has the generation")
    except (ScienceError, ValueError) as error:  # it comes again with the same record: a person must ask otherwise
        log.warning("no answer is possible", error=str(error))
        generations.fail_generation(sessions, job, f"{type(error).__name__}: {error}", retry=False)
    except Exception as error:
        # As in a decision: the job runner is the one place that must outlive everything.
        log.exception("the generation failed")
        generations.fail_generation(sessions, job, f"{type(error).__name__}: {error}", retry=True)
    return False


def _answer(sessions: Sessions, settings: Settings, job: GenerationInput, progress: Callable[[str], None]) -> bool:
    bundle = _bundle(settings, job)
    generator, version = decide.generator_of(settings, job.generator)
    progress("drawing")
    found = design(Known(job.problem, bundle, generator, job.dataset), job.wanted, seed=job.seed)
    predicted_by = job.model.id if bundle is not None and job.model is not None else None
    answer = storable(found.model_dump(mode="json"))
    return generations.report_generation(sessions, job, dict(answer), (predicted_by, version))  # type: ignore[call-overload]


def _bundle(settings: Settings, job: GenerationInput) -> ModelBundle | None:
    """The model that predicts; damage is reported, and means that nothing is predicted."""
    if job.model is None:
        return None
    try:
        return from_bytes(decisions.load_artifact(settings.artifacts_dir, job.model.sha256), job.problem)
    except (ArtifactDamaged, IncompatibleCheckpoint) as error:
        log.warning("the model cannot be read; nothing is predicted", error=str(error))
        return None


def _heartbeat(sessions: Sessions, job: GenerationInput) -> Callable[[str], None]:
    return decide.pulse.renewing(lambda: generations.renew_generation(sessions, job.generation_id, job.fence))
