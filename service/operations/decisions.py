"""Decisions as workers see them: take the job, read, renew while thinking, publish or fail; and the sweep.

No transaction is open while a worker thinks. Whatever a worker writes is written only while its fence holds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from service.errors import LeaseLost
from service.operations.decision_inputs import DecisionInput, read_input
from service.operations.decision_records import Making
from service.operations.leases import expire_lapsed
from service.operations.publication import ModelRecord, explain, publish
from service.operations.recommendations import Recommendation
from service.operations.refill import refill
from service.store import (
    artifacts,
    campaigns,
    datasets,
    events,
    idempotency,
    jobs,
    leases,
    models,
    prior_data,
    retractions,
)
from service.store.artifacts import StoredArtifact
from service.store.jobs import DECIDING
from service.store.session import Sessions, lock_campaign, try_lock_campaign
from service.store.tables import JobRow

__all__ = [
    "DecisionInput",
    "Making",
    "ModelRecord",
    "StoredArtifact",
    "abandon_decisions",
    "claim_decision",
    "explain_decision",
    "fail_decision",
    "fail_job",
    "load_artifact",
    "publish_decision",
    "renew_decision",
    "store_artifact",
    "sweep",
    "take_job",
    "waiting",
]

KEYS_KEPT = timedelta(days=7)
"""How long a request may be repeated under its Idempotency-Key. Readings have permanent names besides."""
FIRST_DELAY_S = 2.0
"""Seconds before the second attempt of a job; they double with every further one."""
NOT_SAID = Making()


def claim_decision(sessions: Sessions, job_id: str, worker: str) -> DecisionInput | None:
    """Take a job and read what it needs; None if it is done, not due, in other hands or no longer wanted.

    Args:
        sessions: Where the record is.
        job_id: The job that was rung for.
        worker: Name of the worker, one of a kind among all that run; see `abandon_decisions`.
    """
    with sessions.begin() as session:
        taken = take_job(session, job_id, worker, jobs.DECIDE)
    if taken is None:
        return None
    with sessions() as session:
        # One consistent view without the campaign's lock: robots and instruments do not wait while D_t is read.
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        decision, rows = read_input(session, taken)
    with sessions.begin() as session:
        kept = datasets.snapshot_hash(session, decision.campaign_id, decision.revision, rows)
    return replace(decision, snapshot_hash=kept)


def take_job(session: Session, job_id: str, worker: str, kind: str) -> JobRow | None:
    """Lease a job of a kind; None if it is none, done, not due, in other hands or no longer wanted."""
    job = jobs.get(session, job_id)
    if job is None or job.kind != kind or job.state not in jobs.LIVE:
        return None
    lock_campaign(session, job.campaign_id)
    _reopen_expired(session, job.campaign_id)
    taken = jobs.lease(session, job_id, worker)
    if taken is None or campaigns.get(session, taken.campaign_id).state in DECIDING:
        return taken
    # Asked for again when the campaign becomes active: it is behind its data or short of proposals then, too.
    jobs.finish(session, job_id, taken.fence, "failed", "the campaign decides nothing now")
    return None


def renew_decision(sessions: Sessions, job_id: str, fence: int) -> None:
    """Say that the work goes on.

    To be called from the progress of the computation, not from a side thread: a worker that hangs must lose its lease.

    Raises:
        LeaseLost: If the fence no longer holds.
    """
    with sessions.begin() as session:
        if not jobs.renew(session, job_id, fence):
            raise LeaseLost(f"job {job_id} is no longer ours under fence {fence}")


def publish_decision(
    sessions: Sessions,
    decision: DecisionInput,
    model: ModelRecord | None,
    recommendations: Sequence[Recommendation],
    making: Making = NOT_SAID,
) -> bool:
    """Write the outcome in one transaction: model version, new proposals, superseded old ones, job, events.

    Args:
        sessions: Where the record is.
        decision: What the worker was given.
        model: The model that was trained; None if there was nothing to train on or the fit failed.
        recommendations: Films, the most wanted first.
        making: How the worker made it.

    Returns:
        False, with nothing published, if the fence no longer holds, a decision on newer data is in force, readings
        that it rests on were retracted meanwhile, or another problem is to be solved by now.
    """
    with sessions.begin() as session:
        lock_campaign(session, decision.campaign_id)
        if not jobs.finish(session, decision.job_id, decision.fence, "succeeded"):
            return False
        if why := _overtaken(session, decision):
            told = {"job_id": decision.job_id, "revision": decision.revision, "why": why}
            events.append(session, decision.campaign_id, "decision.overtaken", told)
            return False
        publish(session, decision, model, recommendations, making)
        return True


def _overtaken(session: Session, decision: DecisionInput) -> str | None:
    """Why a decision must not come into force; if none, it is in force now."""
    campaign_id = decision.campaign_id
    in_force = campaigns.get(session, campaign_id).config_revision
    problems = [
        campaigns.config(session, campaign_id, number).problem for number in (decision.config_revision, in_force)
    ]
    if problems[0] != problems[1]:
        return f"configuration {in_force} states another problem"
    if prior_data.resting_on_withdrawn(session, campaign_id, [decision.revision]):
        return "prior data that it rests on were withdrawn"
    if retractions.resting_on_retracted(session, campaign_id, [decision.revision]):
        return "readings that it rests on were retracted"
    if not campaigns.advance_decision(session, campaign_id, decision.revision):
        return "a decision on newer data is in force"
    return None


def explain_decision(
    sessions: Sessions, decision: DecisionInput, artifact: StoredArtifact, explanation: Callable[[], Mapping[str, Any]]
) -> bool:
    """Find out what researchers ask of the model of a published decision, and write it; robots do not wait for it.

    Args:
        sessions: Where the record is.
        decision: What was published.
        artifact: Of its model.
        explanation: Computes the answers; called without an open transaction, and only if they are not there yet.

    Returns:
        Whether answers were written.
    """
    with sessions() as session:
        version = models.unexplained(session, decision.campaign_id, decision.snapshot_hash, artifact.sha256)
    if version is None:
        return False
    found = explanation()
    with sessions.begin() as session:
        explain(session, decision, version, found)
    return True


def fail_decision(sessions: Sessions, decision: DecisionInput, error: str, *, retry: bool) -> bool:
    """Give the job back for another attempt, later each time; after the last, or without `retry`, it is dead.

    A failed fit is not a failed job: then the worker publishes space-filling films and says why.

    Returns:
        False, with nothing changed, if the fence no longer holds.
    """
    return fail_job(sessions, decision.job_id, decision.campaign_id, decision.fence, error, retry=retry)


def fail_job(sessions: Sessions, job_id: str, campaign_id: str, fence: int, error: str, *, retry: bool) -> bool:
    """The same for a job of any kind."""
    with sessions.begin() as session:
        lock_campaign(session, campaign_id)
        job = jobs.get(session, job_id)
        if job is None or job.state != "leased" or job.fence != fence:
            return False
        _give_back(session, job, error, retry=retry, delay_s=FIRST_DELAY_S * 2 ** (job.attempt - 1))
        return True


def abandon_decisions(sessions: Sessions, worker: str) -> int:
    """Give back what a worker of this name was doing when its process ended; a new process says so when it starts.

    Without it the job would wait until its lease is over. If the old process lives after all, its fence is lost.

    Returns:
        How many jobs were given back.
    """
    with sessions() as session:
        left = [(job.id, job.campaign_id) for job in jobs.leased_by(session, worker)]
    for job_id, campaign_id in left:
        with sessions.begin() as session:
            lock_campaign(session, campaign_id)
            job = jobs.get(session, job_id)
            if job is not None and job.state == "leased" and job.worker == worker:
                _give_back(session, job, f"worker {worker} was restarted", retry=True, delay_s=0.0)
    return len(left)


def sweep(sessions: Sessions) -> list[str]:
    """Put right what time or a lost message left behind, campaign by campaign in short transactions.

    Leases and jobs whose time is over are noted, active campaigns whose decision is behind their data or whose queue is
    short get a job, and answers to requests of long ago are forgotten.

    Returns:
        Ids of the pending jobs to ring for.
    """
    with sessions.begin() as session:
        idempotency.forget(session, older_than=KEYS_KEPT)
    with sessions() as session:
        lapsed = set(leases.campaigns_with_lapsed(session))
        silent = {job.campaign_id for job in jobs.expired(session)}
        behind = set(jobs.campaigns_to_decide(session))
    for campaign_id in sorted(lapsed | silent | behind):
        with sessions.begin() as session:
            # What is busy can wait for the next sweep: the other campaigns shall not wait for it.
            if not try_lock_campaign(session, campaign_id):
                continue
            changed = expire_lapsed(session, campaign_id) > 0
            _reopen_expired(session, campaign_id)
            if changed or campaign_id in behind:
                refill(session, campaign_id, pending_changed=changed)
    with sessions() as session:
        return jobs.due(session)


def waiting(sessions: Sessions) -> list[str]:
    """Pending jobs that a worker could take now."""
    with sessions() as session:
        return jobs.due(session)


def store_artifact(folder: Path, data: bytes) -> StoredArtifact:
    """Write a model's bytes to the artifact store, before the transaction that refers to them."""
    return artifacts.store(folder, data)


def load_artifact(folder: Path, sha256: str) -> bytes:
    """Read a model's bytes back.

    Raises:
        ArtifactDamaged: If they are missing or do not match their hash.
    """
    return artifacts.load(folder, sha256)


def _reopen_expired(session: Session, campaign_id: str) -> None:
    for job in jobs.expired(session, campaign_id):
        # No further delay: the silence was one.
        _give_back(session, job, f"worker {job.worker} fell silent", retry=True, delay_s=0.0)


def _give_back(session: Session, job: JobRow, error: str, *, retry: bool, delay_s: float) -> None:
    told: dict[str, Any] = {"job_id": job.id, "attempt": job.attempt, "error": error[:500]}
    noun = "decision" if job.kind == jobs.DECIDE else "training"
    if not retry or job.attempt >= jobs.MAX_ATTEMPTS:
        jobs.finish(session, job.id, job.fence, "dead", error)
        events.append(session, job.campaign_id, f"{noun}.dead", told)
        return
    jobs.put_back(session, job, delay_s, error)
    events.append(session, job.campaign_id, f"{noun}.failed", told)
