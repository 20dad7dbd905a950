"""Replays: compute a proposal again from what was kept of it, and say whether it comes out the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from models.dataset import Dataset
from models.film import Film
from models.problem import Problem
from service.errors import Conflict
from service.operations import errands
from service.operations.decision_inputs import decision_seed
from service.operations.decision_records import read_flight
from service.store import datasets, decisions, events, models, proposals, replays
from service.store.errands import finish
from service.store.session import Sessions, lock_campaign
from service.store.tables import ProposalRow, ReplayRow


@dataclass(frozen=True)
class Replay:
    """A replay as the world sees it."""

    id: str
    campaign_id: str
    proposal_id: str
    state: str
    verdict: str | None
    report: dict[str, Any] | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class Training:
    """What a model was trained from."""

    problem: Problem
    dataset: Dataset
    seed: int
    started_from: str | None
    """Artifact of the model that the search began from."""
    artifact: str | None
    """Of the model that came out; none if none did."""
    snapshot_hashes: tuple[str, str]
    """Of its dataset: as recorded, and as it is found now."""


@dataclass(frozen=True)
class ReplayInput:
    """Everything a worker needs to compute a proposal again, and the fence under which it may report."""

    replay_id: str
    fence: int
    campaign_id: str
    problem: Problem
    dataset: Dataset
    pending: tuple[Film, ...]
    rank: int
    """The proposal is the one of this rank among those that the decision chose, one after the other."""
    seed: int
    rightful_seed: int
    """That follows from the campaign's seed, the revision and the films known then."""
    left: int | None
    generator: str | None
    """Artifact of the generator that was at hand."""
    training: Training
    snapshot_hashes: tuple[str, str]
    """Of the decision's dataset: as recorded, and as it is found now."""
    recorded: dict[str, Any]
    """The proposal as it stands in the record."""
    versions: dict[str, str]
    code_version: str
    environment: dict[str, str]


def request(session: Session, proposal_id: str) -> Replay:
    """Want a proposal to be computed again.

    Raises:
        NotFound: If there is no such proposal.
        Conflict: If a person asked for the film, or it is from before its inputs were kept.
    """
    row = proposals.get(session, proposal_id)
    if row.job_id is None:
        raise Conflict(f"proposal {proposal_id} was asked for by a person: there is nothing to compute again")
    if decisions.inputs(session, row.job_id) is None:
        raise Conflict(f"proposal {proposal_id} is from before the inputs of decisions were kept")
    return get(session, replays.store(session, row.campaign_id, proposal_id))


def get(session: Session, replay_id: str) -> Replay:
    """One replay.

    Raises:
        NotFound: If there is none of this id.
    """
    return _seen(replays.get(session, replay_id))


def page(session: Session, proposal_id: str, after: str | None, limit: int) -> list[Replay]:
    """The first `limit` replays of a proposal after the id `after`, oldest first.

    Raises:
        NotFound: If there is no such proposal.
    """
    proposals.get(session, proposal_id)
    return [_seen(row) for row in replays.page(session, proposal_id, after, limit)]


def due(sessions: Sessions) -> list[str]:
    """Replays to ring for."""
    return errands.due(sessions, ReplayRow)


def claim_replay(sessions: Sessions, replay_id: str, worker: str) -> ReplayInput | None:
    """Take a replay and read what it needs; None if it is done, not due or in other hands."""
    return errands.claim(sessions, ReplayRow, replay_id, worker, _read)


def renew_replay(sessions: Sessions, replay_id: str, fence: int) -> None:
    """Say that the work goes on.

    Raises:
        LeaseLost: If the fence no longer holds.
    """
    errands.renew(sessions, ReplayRow, replay_id, fence)


def report_replay(sessions: Sessions, replay: ReplayInput, verdict: str, report: Mapping[str, Any]) -> bool:
    """Write what came of a replay; False, with nothing written, if the fence no longer holds."""
    with sessions.begin() as session:
        lock_campaign(session, replay.campaign_id)
        values = {"state": "succeeded", "verdict": verdict, "report": dict(report), "error": None}
        if not finish(session, ReplayRow, replay.replay_id, replay.fence, values):
            return False
        proposal_id = replays.get(session, replay.replay_id).proposal_id
        told = {"replay_id": replay.replay_id, "proposal_id": proposal_id, "verdict": verdict}
        events.append(session, replay.campaign_id, "proposal.replayed", told)
        return True


def fail_replay(sessions: Sessions, replay: ReplayInput, error: str, *, retry: bool) -> bool:
    """Give a replay back for another attempt; after the last, or without `retry`, it is dead."""
    return errands.fail(sessions, ReplayRow, replay.replay_id, replay.fence, error, retry=retry)


def _read(session: Session, replay: ReplayRow) -> ReplayInput:
    row = proposals.get(session, replay.proposal_id)
    kept = decisions.inputs(session, row.job_id or "") or {}
    problem = datasets.problem(session, row.campaign_id, row.config_revision)
    dataset, found = _dataset(session, row.campaign_id, problem, row.revision)
    said = row.provenance
    hashes = (str(said["snapshot_hash"]), found)
    if row.model_version_id is None:
        begun = _artifact(session, kept["started_from"])
        training = Training(problem, dataset, said["seed"], begun, None, hashes)
    else:
        training = _training(session, row.model_version_id)
    return ReplayInput(
        replay_id=replay.id,
        fence=replay.fence,
        campaign_id=row.campaign_id,
        problem=problem,
        dataset=dataset,
        pending=tuple(read_flight(film, problem) for film in kept["pending"]),
        rank=row.rank,
        seed=said["seed"],
        rightful_seed=decision_seed(problem.seed, row.revision, kept["films_known"]),
        left=kept["left"],
        generator=_artifact(session, kept.get("generator")),
        training=training,
        snapshot_hashes=hashes,
        recorded=_recorded(row),
        versions=said["versions"],
        code_version=said["code_version"],
        environment=kept["environment"],
    )


def _training(session: Session, model_version_id: str) -> Training:
    row, _ = models.get(session, model_version_id)
    problem = datasets.problem(session, row.campaign_id, row.config_revision)
    dataset, found = _dataset(session, row.campaign_id, problem, row.revision)
    begun = _artifact(session, row.started_from_id)
    return Training(problem, dataset, row.seed, begun, row.artifact_sha256, (row.snapshot_hash, found))


def _dataset(session: Session, campaign_id: str, problem: Problem, revision: int) -> tuple[Dataset, str]:
    """D_t of a past revision and its hash, both read anew."""
    rows = datasets.snapshot(session, campaign_id, revision)
    found = datasets.whole(session, campaign_id, problem, revision, rows)
    return found.dataset, found.snapshot_hash


def _artifact(session: Session, model_version_id: str | None) -> str | None:
    return None if model_version_id is None else models.get(session, model_version_id)[0].artifact_sha256


def _recorded(row: ProposalRow) -> dict[str, Any]:
    names = ("film", "gain", "cost", "source", "policy", "reason", "alternatives", "pairs")
    return {name: getattr(row, name) for name in names}


def _seen(row: ReplayRow) -> Replay:
    names = ("id", "campaign_id", "proposal_id", "state", "verdict", "report", "error", "created_at", "finished_at")
    return Replay(**{name: getattr(row, name) for name in names})
