"""One replay: read what a proposal was computed from, compute it again, compare, report."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog
from celery import Task

from models.checkpoint import from_bytes
from models.errors import FitFailed, IncompatibleCheckpoint, InvalidDataset, NotEnoughData, ScienceError
from models.policies.base import Recommendation
from models.propose import propose
from models.surrogates.base import ModelBundle
from models.train import train
from service.errors import ArtifactDamaged, LeaseLost
from service.operations import decisions, replays
from service.operations.comparison import Difference, compare, compare_arrays, listed, verdict
from service.operations.recommendations import (
    code_version,
    library_versions,
    written,
    written_alternatives,
    written_pairs,
)
from service.operations.replays import ReplayInput, Training
from service.settings import Settings
from service.store.session import Sessions
from service.telemetry import bound
from workers import decide, loaded
from workers.app import app, settings

log = structlog.get_logger("filmloop.replay")


@app.task(name="filmloop.replay", bind=True)  # type: ignore[untyped-decorator, no-untyped-call]  # Celery ships no types
def replay(self: Task, replay_id: str) -> None:
    """Compute the proposal of a replay again, after every decision that waits: robots are served first."""
    sessions, worker = decide.worker_sessions(), str(self.request.hostname)
    with decide.pulse.working():
        for job_id in decisions.waiting(sessions):
            decide.run(sessions, settings, job_id, worker)
        with bound(replay_id=replay_id):
            run(sessions, settings, replay_id, worker)


def run(sessions: Sessions, settings: Settings, replay_id: str, worker: str) -> str | None:
    """Read, think, write.

    Args:
        sessions: Where the record is.
        settings: For the artifact store.
        replay_id: The replay that was rung for.
        worker: Name of this worker.

    Returns:
        The verdict; None if there is none.
    """
    job = replays.claim_replay(sessions, replay_id, worker)
    if job is None:
        return None
    try:
        found, report = _replayed(sessions, settings.artifacts_dir, job)
    except LeaseLost:
        log.warning("the lease was lost; another worker has the replay")
    except (ScienceError, ArtifactDamaged) as error:  # it comes again with the same record: a person must look
        log.warning("no replay is possible", error=str(error))
        replays.fail_replay(sessions, job, f"{type(error).__name__}: {error}", retry=False)
    except Exception as error:
        # As in a decision: the job runner is the one place that must outlive everything.
        log.exception("the replay failed")
        replays.fail_replay(sessions, job, f"{type(error).__name__}: {error}", retry=True)
    else:
        return found if replays.report_replay(sessions, job, found, report) else None
    return None


def _replayed(sessions: Sessions, folder: Path, job: ReplayInput) -> tuple[str, dict[str, Any]]:
    began = time.perf_counter()
    progress = _heartbeat(sessions, job)
    bundle, trouble = _trained(folder, job.training, progress)
    films = propose(
        job.problem,
        bundle,
        job.dataset,
        pending=job.pending,
        count=job.rank + 1,
        seed=job.seed,
        left=job.left,
        generator=None if job.generator is None else loaded.generator(folder, job.generator),
        progress=progress,
    )
    film = films[job.rank] if trouble is None else decide.told(films[job.rank], trouble)
    of_model = _model(folder, job.training, bundle)
    different = [*_evidence(job), *of_model, *compare(job.recorded, _written(film, job), job.problem)]
    found = verdict(different)
    log.info("proposal replayed", verdict=found, differing=len(different))
    report = {
        "differing": len(different),
        "model_identical": None if job.training.artifact is None else not of_model and bundle is not None,
        "differences": listed(different),
        "versions": _unlike({**job.versions, "code": job.code_version}, {**library_versions(), "code": code_version()}),
        "environment": _unlike(job.environment, decide.environment()),
        "seconds": round(time.perf_counter() - began, 3),
    }
    return found, report


def _trained(
    folder: Path, training: Training, progress: Callable[[str], None]
) -> tuple[ModelBundle | None, str | None]:
    """The model again, or none and the reason why, as when the decision was made."""
    previous = None
    if training.started_from is not None:
        previous = from_bytes(decisions.load_artifact(folder, training.started_from), training.problem)
    try:
        fitted = train(training.problem, training.dataset, seed=training.seed, previous=previous, progress=progress)
    except NotEnoughData:
        return None, None
    except (FitFailed, InvalidDataset) as error:
        return None, decide.why_none(error)
    return fitted, None


def _evidence(job: ReplayInput) -> list[Difference]:
    """What was recorded of the inputs and is not so."""
    hashes = {"/provenance/snapshot_hash": job.snapshot_hashes, "/model/snapshot_hash": job.training.snapshot_hashes}
    told: dict[str, tuple[object, object]] = {**hashes, "/provenance/seed": (job.seed, job.rightful_seed)}
    return [Difference(at, *pair, None, None, within=False) for at, pair in told.items() if pair[0] != pair[1]]


def _model(folder: Path, training: Training, bundle: ModelBundle | None) -> list[Difference]:
    """Where the model that was fitted again is not the one that is kept, bit by bit."""
    if training.artifact is None or bundle is None:
        return []
    try:
        kept = from_bytes(decisions.load_artifact(folder, training.artifact), training.problem)
    except (ArtifactDamaged, IncompatibleCheckpoint) as error:
        return [Difference("/model", str(error), "fitted again", None, None, within=True)]
    return compare_arrays(kept.surrogate.arrays(), bundle.surrogate.arrays(), "/model")


def _written(film: Recommendation, job: ReplayInput) -> dict[str, Any]:
    """As the decision wrote it, in the types that JSON leaves of it."""
    told = {
        "film": written(film, job.problem),
        "gain": None if film.gain is None else float(film.gain),
        "cost": film.cost,
        "source": film.source,
        "policy": film.policy,
        "reason": film.reason,
        "alternatives": written_alternatives(film, job.problem),
        "pairs": written_pairs(film),
    }
    plain: dict[str, Any] = json.loads(json.dumps(told))
    return plain


def _unlike(recorded: Mapping[str, str], now: Mapping[str, str]) -> dict[str, Any]:
    """What is recorded and otherwise now."""
    return {k: {"recorded": v, "now": now.get(k)} for k, v in sorted(recorded.items()) if v != now.get(k)}


def _heartbeat(sessions: Sessions, job: ReplayInput) -> Callable[[str], None]:
    return decide.pulse.renewing(lambda: replays.renew_replay(sessions, job.replay_id, job.fence))
