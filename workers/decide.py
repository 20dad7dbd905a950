"""One decision: take the job, read D_t, train, propose, write. Thin: the science and the record live elsewhere."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Protocol

import structlog
import torch
from celery import Task
from celery.signals import worker_init, worker_ready

from models.checkpoint import from_bytes, to_bytes
from models.errors import FitFailed, IncompatibleCheckpoint, InvalidDataset, NotEnoughData, ScienceError
from models.generators.base import Generator
from models.policies.base import Recommendation
from models.propose import propose
from models.surrogates.base import ModelBundle
from models.tensors import use_device
from models.train import train
from service.errors import ArtifactDamaged, LeaseLost
from service.operations import decisions
from service.operations.decision_inputs import ModelReference
from service.operations.decisions import DecisionInput, Making, ModelRecord
from service.settings import Settings
from service.store import schema
from service.store.session import Sessions, make_engine, make_sessions
from service.telemetry import bound
from workers import loaded, lookout
from workers.app import app, settings
from workers.insights import served_insights
from workers.machine import processor
from workers.posterior import served_posterior
from workers.pulse import Pulse
from workers.warm import WarmModels

log = structlog.get_logger("filmloop.decide")

_warm = WarmModels()
pulse = Pulse(settings.worker.silent_s, settings.worker.pulse)
_device = use_device(settings.worker.device)  # of this process: a worker that cannot have it must not start


class _Worker(Protocol):
    """What Celery tells of the worker that became ready."""

    hostname: str


@app.task(name="filmloop.decide", bind=True)  # type: ignore[untyped-decorator, no-untyped-call]  # Celery ships no types
def decide(self: Task, job_id: str) -> None:
    """Make the decision that `job_id` asks for, if it is still wanted."""
    with bound(job_id=job_id), pulse.working():
        run(worker_sessions(), settings, job_id, worker=str(self.request.hostname))


@worker_ready.connect  # type: ignore[untyped-decorator]  # Celery ships no types
def take_up(sender: _Worker, **_: object) -> None:
    """Give back what a dead process of this worker's name had in hand; the sweep rings for it."""
    log.info("ready", device=_device)
    if given_back := decisions.abandon_decisions(worker_sessions(), sender.hostname):
        log.warning("gave back what the last process of this name was doing", jobs=given_back)


@worker_init.connect  # type: ignore[untyped-decorator]  # Celery ships no types
def look_out(sender: _Worker, **_: object) -> None:
    """While there is no broker, do what waits in the record."""

    def look() -> None:
        for job_id in decisions.waiting(worker_sessions()):
            with bound(job_id=job_id), pulse.working():
                run(worker_sessions(), settings, job_id, worker=sender.hostname)

    lookout.keep(settings.broker.url, settings.worker.sweep_s, look)


@cache
def worker_sessions() -> Sessions:
    """Of this process: one connection is enough for one decision at a time."""
    engine = make_engine(settings.require_database_url(), pool_size=2)
    schema.refuse_other(engine)
    return make_sessions(engine)


def run(sessions: Sessions, settings: Settings, job_id: str, worker: str) -> bool:
    """Read, think, write.

    Args:
        sessions: Where the record is.
        settings: For the artifact store.
        job_id: The job that was rung for.
        worker: Name of this worker, one of a kind among all that run.

    Returns:
        Whether a decision was published.
    """
    job = decisions.claim_decision(sessions, job_id, worker)
    if job is None:
        log.info("nothing to do: the job is done, not due or in other hands")
        return False
    with bound(campaign_id=job.campaign_id, revision=job.revision):
        try:
            return _decide(sessions, settings, job)
        except LeaseLost:
            log.warning("the lease was lost; another worker has the job")
        except ScienceError as error:  # a typed failure comes again with the same data: a person must act
            log.warning("no decision is possible", error=str(error), kind=type(error).__name__)
            decisions.fail_decision(sessions, job, f"{type(error).__name__}: {error}", retry=False)
        except Exception as error:
            # The job runner is the one place that must outlive everything; the job is retried, then dead with an event.
            log.exception("the decision failed")
            decisions.fail_decision(sessions, job, f"{type(error).__name__}: {error}", retry=True)
        return False


def _decide(sessions: Sessions, settings: Settings, job: DecisionInput) -> bool:
    use_device(settings.worker.device)  # torch knows it by thread, and who looks out has one of its own
    began = time.perf_counter()
    progress = _heartbeat(sessions, job)
    last = _last(settings, job)
    bundle, trouble = _trained(job, last, progress)
    generator, drawn_by = generator_of(settings, job.generator)
    films = propose(
        job.problem,
        bundle,
        job.dataset,
        pending=job.pending,
        count=job.count,
        seed=job.seed,
        left=job.left,
        generator=generator,
        progress=progress,
    )
    begun = _started_from(job, last, bundle)
    model = None if bundle is None else replace(_kept(settings, job, bundle), started_from=begun)
    named = films if trouble is None else [told(film, trouble) for film in films]
    published = decisions.publish_decision(sessions, job, model, named, Making(begun, environment(), drawn_by))
    log.info(
        "decision published" if published else "decision overtaken by newer data",
        readings=len(job.dataset),
        films=len(films),
        seconds=round(time.perf_counter() - began, 2),
    )
    if published and bundle is not None and model is not None:
        _explain(sessions, job, model, bundle)
    return published


def _explain(sessions: Sessions, job: DecisionInput, model: ModelRecord, bundle: ModelBundle) -> None:
    """Answer what researchers ask of the model, after the robots were served; without it the decision stands."""
    pulse.beat()
    began = time.perf_counter()
    try:
        written = decisions.explain_decision(
            sessions, job, model.artifact, lambda: served_insights(job.problem, bundle, job.dataset, seed=job.seed)
        )
    except Exception:
        # The decision is published: whatever is wrong here, the next one must not wait for it.
        log.exception("the model could not be explained")
    else:
        log.debug("model explained", written=written, seconds=round(time.perf_counter() - began, 2))


def _heartbeat(sessions: Sessions, job: DecisionInput) -> Callable[[str], None]:
    return pulse.renewing(lambda: decisions.renew_decision(sessions, job.job_id, job.fence))


def _started_from(job: DecisionInput, last: ModelBundle | None, bundle: ModelBundle | None) -> str | None:
    """The model version from which the training of the decision's model began."""
    if last is None or job.previous is None:
        return None
    return job.previous.started_from if bundle is last else job.previous.id


def environment() -> dict[str, str]:
    """What the last digits of a result depend on beside data, seed and versions."""
    return {"device": _device, "threads": str(torch.get_num_threads()), "processor": processor()}


def _trained(
    job: DecisionInput, last: ModelBundle | None, progress: Callable[[str], None]
) -> tuple[ModelBundle | None, str | None]:
    """The model for the job's data, or none and the reason why; then films are space-filling and say so.

    Equal data give the last model again without a fit: a decision made anew must not drift from the first one.
    """
    if last is not None and last.fingerprint == job.dataset.fingerprint():
        return last, None
    try:
        return train(job.problem, job.dataset, seed=job.seed, previous=last, progress=progress), None
    except NotEnoughData:
        return None, None
    except (FitFailed, InvalidDataset) as error:
        log.warning("the fit failed; space-filling films serve", error=str(error))
        return None, why_none(error)


def _last(settings: Settings, job: DecisionInput) -> ModelBundle | None:
    """The campaign's newest model, from memory or from its artifact; damage is reported, and means a cold start."""
    if job.previous is None:
        return None
    warm = _warm.get(job.campaign_id, job.previous.sha256)
    if warm is not None:
        return warm
    try:
        last = from_bytes(decisions.load_artifact(settings.artifacts_dir, job.previous.sha256), job.problem)
    except (ArtifactDamaged, IncompatibleCheckpoint) as error:
        log.warning("the last model cannot be read; training starts cold", error=str(error))
        return None
    _warm.keep(job.campaign_id, job.previous.sha256, last)
    return last


def generator_of(settings: Settings, reference: ModelReference | None) -> tuple[Generator | None, str | None]:
    """A campaign's generator and its version; damage is reported, and means that none is asked."""
    if reference is None:
        return None, None
    try:
        return loaded.generator(settings.artifacts_dir, reference.sha256), reference.id
    except (ArtifactDamaged, IncompatibleCheckpoint) as error:
        log.warning("the generator cannot be read; none is asked", error=str(error))
        return None, None


def _kept(settings: Settings, job: DecisionInput, bundle: ModelBundle) -> ModelRecord:
    """Write the bundle's bytes to the artifact store and keep it warm."""
    artifact = decisions.store_artifact(settings.artifacts_dir, to_bytes(bundle))
    _warm.keep(job.campaign_id, artifact.sha256, bundle)
    return ModelRecord(
        name=bundle.surrogate.name,
        seed=bundle.seed,
        metrics=dict(bundle.metrics),
        versions=dict(bundle.versions),
        posterior=served_posterior(job.problem, bundle),
        artifact=artifact,
    )


def why_none(error: FitFailed | InvalidDataset) -> str:
    """Why there is no model, for people."""
    return f"the fit failed: {error}"


def told(film: Recommendation, trouble: str) -> Recommendation:
    """The recommendation with what went wrong on the way."""
    return replace(film, reason=f"{film.reason}; {trouble}")
