"""Trainings of generators as workers see them: take the job, read D_t, renew while learning, publish.

The same rules as for decisions (`decisions.py`): no transaction is open while a worker learns, and what it writes is
written only while its fence holds. Renewal, failure and what a dead worker leaves are the same for both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from models.dataset import Dataset
from models.problem import Problem
from service.operations.decision_inputs import ModelReference, decision_seed, newest_generator
from service.operations.decisions import take_job
from service.operations.publication import storable
from service.store import artifacts, campaigns, datasets, events, jobs, models, prior_data, retractions
from service.store.artifacts import StoredArtifact
from service.store.ids import new_id
from service.store.session import Sessions, lock_campaign

HEALTHY = "healthy"


@dataclass(frozen=True)
class TrainingInput:
    """Everything a worker needs to train, and the fence under which it may publish."""

    job_id: str
    fence: int
    campaign_id: str
    problem: Problem
    config_revision: int
    revision: int
    snapshot_hash: str
    dataset: Dataset
    seed: int
    previous: ModelReference | None
    """The newest generator that may be used, from which the training starts."""


@dataclass(frozen=True)
class GeneratorRecord:
    """A trained generator whose bytes are in the artifact store already."""

    name: str
    """Name in the catalogue, e.g. `conditional_vae`."""
    seed: int
    metrics: Mapping[str, Any]
    health: Mapping[str, Any]
    """With the `verdict`: only a healthy version is ever used."""
    versions: Mapping[str, str]
    artifact: StoredArtifact
    started_from: str | None


def claim_training(sessions: Sessions, job_id: str, worker: str) -> TrainingInput | None:
    """Take a job and read what it needs; None if it is done, not due, in other hands or no longer wanted."""
    with sessions.begin() as session:
        taken = take_job(session, job_id, worker, jobs.TRAIN)
    if taken is None:
        return None
    with sessions() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        campaign = campaigns.get(session, taken.campaign_id)
        problem = datasets.head(session, campaign.id).problem
        rows = datasets.snapshot(session, campaign.id, campaign.revision)
        whole = datasets.whole(session, campaign.id, problem, campaign.revision, rows)
        training = TrainingInput(
            job_id=taken.id,
            fence=taken.fence,
            campaign_id=campaign.id,
            problem=problem,
            config_revision=campaign.config_revision,
            revision=campaign.revision,
            snapshot_hash=whole.snapshot_hash,
            dataset=whole.dataset,
            seed=decision_seed(problem.seed, campaign.revision, 0),
            previous=newest_generator(session, campaign.id, problem),
        )
    with sessions.begin() as session:
        kept = datasets.snapshot_hash(session, training.campaign_id, training.revision, rows)
    return replace(training, snapshot_hash=kept)


def publish_training(sessions: Sessions, training: TrainingInput, generator: GeneratorRecord) -> str | None:
    """Write a generator as a model version, with an event; one that is not healthy is kept, but never used.

    Returns:
        Id of the version. None, with nothing kept, if the fence no longer holds, or the training was overtaken: by one
        on newer data, by another problem, by the retraction of readings that it rests on.
    """
    with sessions.begin() as session:
        lock_campaign(session, training.campaign_id)
        if not jobs.finish(session, training.job_id, training.fence, "succeeded"):
            return None
        if why := _overtaken(session, training):
            told = {"job_id": training.job_id, "revision": training.revision, "why": why}
            events.append(session, training.campaign_id, "training.overtaken", told)
            return None
        version_id = _keep(session, training, generator)
        verdict = str(generator.health["verdict"])
        told = {"model_version_id": version_id, "name": generator.name, "revision": training.revision}
        events.append(session, training.campaign_id, "generator.trained", told | {"verdict": verdict})
        if verdict != HEALTHY:
            told |= {"why": f"its draws are {verdict}: decisions go on with what they had"}
            events.append(session, training.campaign_id, "generator.not_used", told)
        return version_id


def leave_training(sessions: Sessions, training: TrainingInput, why: str) -> bool:
    """End a job that came to nothing, and that no second attempt would mend: there are too few readings yet.

    Returns:
        False, with nothing changed, if the fence no longer holds.
    """
    with sessions.begin() as session:
        return jobs.finish(session, training.job_id, training.fence, "succeeded", why)


def waiting(sessions: Sessions) -> list[str]:
    """Pending trainings that a worker could take now."""
    with sessions() as session:
        return jobs.due(session, jobs.TRAIN)


def _overtaken(session: Session, training: TrainingInput) -> str | None:
    """Why a generator must not be kept; none if it may."""
    campaign_id, revision = training.campaign_id, training.revision
    in_force = datasets.head(session, campaign_id).problem
    if (in_force.generator, in_force.properties) != (training.problem.generator, training.problem.properties):
        return "the campaign wants another generator by now"
    newest = models.newest(session, campaign_id, models.GENERATOR)
    if newest is not None and newest.revision > revision:
        return "a generator of newer data is in force"
    if retractions.resting_on_retracted(session, campaign_id, [revision]):
        return "readings that it rests on were retracted"
    if prior_data.resting_on_withdrawn(session, campaign_id, [revision]):
        return "prior data that it rests on were withdrawn"
    return None


def _keep(session: Session, training: TrainingInput, generator: GeneratorRecord) -> str:
    artifacts.record(session, generator.artifact)
    values = {
        "id": new_id("mdl"),
        "campaign_id": training.campaign_id,
        "job_id": training.job_id,
        "artifact_sha256": generator.artifact.sha256,
        "kind": models.GENERATOR,
        "name": generator.name,
        "config_revision": training.config_revision,
        "revision": training.revision,
        "snapshot_hash": training.snapshot_hash,
        "seed": generator.seed,
        "started_from_id": generator.started_from,
        "metrics": storable({**generator.metrics, "health": dict(generator.health)}),
        "versions": dict(generator.versions),
        "posterior": None,
    }
    models.store(session, values)
    return str(values["id"])
