"""What a decision leaves in the record: a model version, a new queue, superseded proposals, events."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from service.operations.budgets import films_left
from service.operations.decision_inputs import DecisionInput
from service.operations.decision_records import Making, written_flight
from service.operations.recommendations import (
    Recommendation,
    code_version,
    library_versions,
    written,
    written_alternatives,
    written_pairs,
)
from service.operations.refill import wanted_films
from service.operations.standing import best, standing
from service.store import artifacts, campaigns, decisions, events, jobs, models, proposals
from service.store.artifacts import StoredArtifact
from service.store.ids import new_id
from service.store.tables import CampaignConfigRow


@dataclass(frozen=True)
class ModelRecord:
    """A trained surrogate whose bytes are in the artifact store already."""

    name: str
    """Name in the catalog, e.g. `film_gp`."""
    seed: int
    metrics: dict[str, Any]
    versions: dict[str, str]
    posterior: dict[str, Any] | None
    """Posterior map as it is served: `points`, `mean`, `sd`, `best`."""
    artifact: StoredArtifact
    started_from: str | None = None
    """Model version from which the training's search began; none if it began cold."""


def publish(
    session: Session,
    decision: DecisionInput,
    model: ModelRecord | None,
    recommendations: Sequence[Recommendation],
    making: Making,
) -> None:
    """Write a decision that is in force. The caller holds the campaign's lock."""
    campaign = campaigns.get(session, decision.campaign_id)
    model_id = None if model is None else _keep_model(session, decision, model)
    superseded = proposals.withdraw_ready(session, campaign.id, to="superseded", among=proposals.UNWANTED)
    open_to_robots = campaign.state in {"active", "paused"}
    lineage = {"model_version_id": model_id, "averaged_over": None if model is None else averaged_over(model.metrics)}
    lineage |= {"generator_version_id": making.generator}
    offered = _offer(session, decision, lineage, recommendations) if open_to_robots else []
    known = None if model_id is None else models.insights(session, model_id)
    line = standing(decision, model, model_id, recommendations[: len(offered)])
    decisions.store(session, line | best(decision.problem, model, known) | {"inputs": _inputs(decision, making)})
    told = {
        "job_id": decision.job_id,
        "revision": decision.revision,
        "model_version_id": model_id,
        "proposal_ids": offered,
        "superseded": superseded,
    }
    events.append(session, campaign.id, "decision.published", told)
    want_training(session, decision)


def want_training(session: Session, decision: DecisionInput) -> str | None:
    """Ask for a generator of the decision's data, unless there is none in the problem or it was trained already.

    The sweep rings for it: seconds are nothing to a training.

    Returns:
        Id of the pending job.
    """
    if decision.problem.generator is None or not len(decision.dataset):
        return None
    newest = models.newest(session, decision.campaign_id, models.GENERATOR)
    if newest is not None and newest.snapshot_hash == decision.snapshot_hash:
        return None
    wish = jobs.request(session, decision.campaign_id, decision.revision, jobs.TRAIN)
    return None if wish is None else wish.job_id


def _inputs(decision: DecisionInput, making: Making) -> dict[str, Any]:
    """What else than the dataset, the configuration and the model the decision was computed from."""
    pending = zip(decision.flights, decision.pending, strict=False)  # without names, where a test made the input
    return {
        "seed": decision.seed,
        "films_known": decision.films_known,
        "left": decision.left,
        "pending": [written_flight(reference, film, decision.problem) for reference, film in pending],
        "started_from": making.started_from,
        "generator": making.generator,
        "environment": dict(making.environment),
    }


def explain(session: Session, decision: DecisionInput, model_version_id: str, insights: Mapping[str, Any]) -> None:
    """Write what a researcher asks of a model that is in force, unless it is written already."""
    told = {noun: storable(answer) for noun, answer in insights.items()}
    if models.explain(session, model_version_id, told):
        decisions.amend(session, decision.job_id, best(decision.problem, None, insights))


def _keep_model(session: Session, decision: DecisionInput, model: ModelRecord) -> str:
    """Insert a model version, unless the newest one is this model of this dataset already; return its id."""
    newest = models.newest(session, decision.campaign_id)
    same = (decision.snapshot_hash, model.artifact.sha256)
    if newest is not None and (newest.snapshot_hash, newest.artifact_sha256) == same:
        return newest.id
    artifacts.record(session, model.artifact)
    values = {
        "id": new_id("mdl"),
        "campaign_id": decision.campaign_id,
        "job_id": decision.job_id,
        "artifact_sha256": model.artifact.sha256,
        "kind": "surrogate",
        "name": model.name,
        "config_revision": decision.config_revision,
        "revision": decision.revision,
        "snapshot_hash": decision.snapshot_hash,
        "seed": model.seed,
        "started_from_id": model.started_from,
        "metrics": storable(model.metrics),
        "versions": model.versions,
        "posterior": model.posterior,
    }
    models.store(session, values)
    told = {"model_version_id": values["id"], "name": model.name, "revision": decision.revision}
    events.append(session, decision.campaign_id, "model.trained", told)
    return str(values["id"])


def storable(value: object) -> object:
    """A JSON value without NaN and infinity, which JSON does not know: they become null."""
    if isinstance(value, Mapping):
        return {key: storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _offer(
    session: Session,
    decision: DecisionInput,
    lineage: Mapping[str, Any],
    recommendations: Sequence[Recommendation],
) -> list[str]:
    """Put as many films on the queue as the budget leaves, counted after the old ones were taken off it.

    The budget may be another one than when the decision was taken; its problem is the one in force.
    """
    in_force = campaigns.get(session, decision.campaign_id).config_revision
    config = campaigns.config(session, decision.campaign_id, in_force)
    room = len(recommendations)
    if (left := films_left(session, config)) is not None:
        # A ready proposal that nobody asked for and that is still there is kept by another transaction.
        kept = proposals.count(session, decision.campaign_id, ["ready"], among=proposals.UNWANTED)
        room = max(0, min(room, left - kept))
    rows = [_proposal(decision, lineage, rank, r) for rank, r in enumerate(recommendations[:room])]
    proposals.insert_ready(session, rows)
    exhausted = not rows and wanted_films(session, config) == 0
    if campaigns.say_exhausted(session, decision.campaign_id, exhausted=exhausted) and exhausted:
        events.append(session, decision.campaign_id, "budget.reached", _budget(config))
    return [row["id"] for row in rows]


def _budget(config: CampaignConfigRow) -> dict[str, float]:
    bounds = {"films": config.budget_films, "devices": config.budget_devices, "hours": config.budget_hours}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def averaged_over(metrics: Mapping[str, Any]) -> int | None:
    """Sets of hyperparameters over which the model averages; None if it does not say."""
    sets: int | None = (metrics.get("objectives") or [{}])[0].get("averaged_over")
    return sets


def _proposal(
    decision: DecisionInput, lineage: Mapping[str, Any], rank: int, recommendation: Recommendation
) -> dict[str, Any]:
    versions = library_versions()
    provenance = {
        "config_revision": decision.config_revision,
        "revision": decision.revision,
        "snapshot_hash": decision.snapshot_hash,
        **lineage,
        "start": recommendation.start,
        "policy": recommendation.policy,
        "policy_options": decision.problem.policy.model_dump(mode="json"),
        "seed": decision.seed,
        "decision_id": decision.job_id,
        "pending_film_count": len(decision.pending),
        "pending": [reference.written() for reference in decision.flights],
        "prior_data": list(decision.prior_data_ids),
        "code_version": code_version(),
        "versions": versions,
    }
    return {
        "id": new_id("prp"),
        "campaign_id": decision.campaign_id,
        "job_id": decision.job_id,
        "model_version_id": lineage["model_version_id"],
        "config_revision": decision.config_revision,
        "revision": decision.revision,
        "rank": rank,
        "film": written(recommendation, decision.problem),
        "gain": None if recommendation.gain is None else float(recommendation.gain),
        "cost": recommendation.cost,
        "source": recommendation.source,
        "policy": recommendation.policy,
        "reason": recommendation.reason,
        "alternatives": written_alternatives(recommendation, decision.problem),
        "pairs": written_pairs(recommendation),
        "provenance": provenance,
    }
