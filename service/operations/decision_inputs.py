"""What a decision is made from: everything that a worker reads before it thinks."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from models.dataset import Dataset
from models.film import Film
from models.problem import Problem
from service.operations.budgets import films_left
from service.operations.decision_records import FlightReference
from service.operations.recommendations import unread_film
from service.operations.refill import wanted_films
from service.store import campaigns, compositions, datasets, films, models, prior_data, proposals, retractions
from service.store.datasets import SnapshotRow
from service.store.tables import JobRow


@dataclass(frozen=True)
class ModelReference:
    """A model version that a new training may start from, or that serves if the new training fails."""

    id: str
    name: str
    revision: int
    snapshot_hash: str
    sha256: str
    """Its artifact."""
    started_from: str | None = None
    """Model version from which its own training began."""


@dataclass(frozen=True)
class DecisionInput:
    """Everything a worker needs to decide, read in one short transaction, and the fence under which it may publish."""

    job_id: str
    fence: int
    attempt: int
    campaign_id: str
    problem: Problem
    config_revision: int
    revision: int
    """Revision of the dataset."""
    snapshot_hash: str
    dataset: Dataset
    pending: tuple[Film, ...]
    """Films in flight with those of their devices that are not yet read, compositions as made where known; and films
    that came out infeasible, beside which the next ones are chosen as well: else they would be asked for again."""
    films_known: int
    """Films with a reading, and pending films."""
    count: int
    """Films to propose; 0 if the campaign or its budget wants none, then only the model is brought up to date."""
    seed: int
    previous: ModelReference | None
    """The newest model version, if it is of the same search space, properties and surrogate."""
    left: int | None = None
    """Films that the budget leaves; None if there is none."""
    flights: tuple[FlightReference, ...] = ()
    """The names of the pending films, in their order."""
    prior_data_ids: tuple[str, ...] = ()
    """Prior data in the dataset."""
    generator: ModelReference | None = None
    """The newest generator that may be used, if the problem has one."""


def read_input(session: Session, job: JobRow) -> tuple[DecisionInput, Sequence[SnapshotRow]]:
    """Read the input of a job that was just taken, and the snapshot it rests on. Needs one consistent view."""
    campaign = campaigns.get(session, job.campaign_id)
    config = campaigns.config(session, campaign.id, campaign.config_revision)
    problem = datasets.head(session, campaign.id).problem
    rows = datasets.snapshot(session, campaign.id, campaign.revision)
    whole = datasets.whole(session, campaign.id, problem, campaign.revision, rows)
    pending, flights, names = _pending(session, campaign.id, problem)
    known = len(set(whole.dataset.of_films().films.tolist()) | names)
    decision = DecisionInput(
        job_id=job.id,
        fence=job.fence,
        attempt=job.attempt,
        campaign_id=campaign.id,
        problem=problem,
        config_revision=campaign.config_revision,
        revision=campaign.revision,
        snapshot_hash=whole.snapshot_hash,
        dataset=whole.dataset,
        pending=pending,
        films_known=known,
        count=wanted_films(session, config) if campaign.state in {"active", "paused"} else 0,
        seed=decision_seed(problem.seed, campaign.revision, known),
        previous=_newest_model(session, campaign.id, problem),
        generator=newest_generator(session, campaign.id, problem),
        left=films_left(session, config),
        flights=flights,
        prior_data_ids=whole.prior_data_ids,
    )
    return decision, rows


def _pending(
    session: Session, campaign_id: str, problem: Problem
) -> tuple[tuple[Film, ...], tuple[FlightReference, ...], set[str]]:
    """Films in flight or infeasible with their unread devices, and the names under which they count as known."""
    rows = proposals.beside(session, campaign_id)
    started = [film_id for _, film_id in rows if film_id is not None]
    done = films.done_devices(session, started, [p.property for p in problem.properties])
    made_of = films.compositions(session, started)
    pending, flights, names = [], [], set()
    for proposal, film_id in rows:
        under = datasets.problem(session, campaign_id, proposal.config_revision)
        proposed_in = problem.model_copy(update={"film": under.film})  # each film has the devices it was proposed with
        readings = made_of.get(film_id, []) if film_id is not None else []
        made = compositions.best_known(readings)
        finished = done.get(film_id or "", set())
        film = unread_film(proposal.film, proposed_in, finished, made)
        if proposal.state != "cancelled":
            names.add(film_id or proposal.id)
        if film is not None:
            pending.append(film)
            unread = tuple(d["index"] for d in proposal.film["devices"] if d["index"] not in finished)
            flights.append(FlightReference(proposal.id, film_id, unread))
    return tuple(pending), tuple(flights), names


def _newest_model(session: Session, campaign_id: str, problem: Problem) -> ModelReference | None:
    """The newest model, if it is one of this problem: of another one, nothing is known to carry over."""
    row = models.newest(session, campaign_id)
    if row is None or not alike(datasets.problem(session, campaign_id, row.config_revision), problem):
        return None
    return ModelReference(row.id, row.name, row.revision, row.snapshot_hash, row.artifact_sha256, row.started_from_id)


def newest_generator(session: Session, campaign_id: str, problem: Problem) -> ModelReference | None:
    """The newest generator of this problem that is healthy and rests on nothing retracted or withdrawn."""
    if problem.generator is None:
        return None
    row = models.newest_healthy_generator(session, campaign_id)
    if row is None or not _alike_generators(datasets.problem(session, campaign_id, row.config_revision), problem):
        return None
    if retractions.resting_on_retracted(session, campaign_id, [row.revision]):
        return None
    if prior_data.resting_on_withdrawn(session, campaign_id, [row.revision]):
        return None
    return ModelReference(row.id, row.name, row.revision, row.snapshot_hash, row.artifact_sha256, row.started_from_id)


def _alike_generators(one: Problem, other: Problem) -> bool:
    """Whether a generator of one problem is one of the other: rules may differ, they enter when it draws."""
    first, second = ((p.space.elements, p.space.process, p.properties, p.generator) for p in (one, other))
    return first == second


def alike(one: Problem, other: Problem) -> bool:
    """Whether a model of one problem is a model of the other: films and policy may differ."""
    first, second = ((p.space, p.properties, p.surrogate) for p in (one, other))
    return first == second


def decision_seed(campaign_seed: int, revision: int, known: int) -> int:
    """The decision's seed: another one whenever data or films in flight are others, the same for a replay."""
    digest = hashlib.sha256(f"{campaign_seed}/{revision}/{known}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
