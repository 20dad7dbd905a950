"""Generations: compositions that a researcher asks for, drawn and predicted by a worker once no decision waits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from models.dataset import Dataset
from models.errors import InvalidComposition
from models.problem import Problem
from models.wanted import Wanted, narrowed
from service.errors import InvalidInput, Violation
from service.operations import errands
from service.operations.decision_inputs import ModelReference, alike, decision_seed, newest_generator
from service.store import campaigns, datasets, events, generations, models
from service.store.errands import finish
from service.store.session import Sessions, lock_campaign
from service.store.tables import GenerationRow


@dataclass(frozen=True)
class Generation:
    """A generation as the world sees it."""

    id: str
    campaign_id: str
    asked: dict[str, Any]
    state: str
    revision: int | None
    model_version_id: str | None
    generator_version_id: str | None
    answer: dict[str, Any] | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class GenerationInput:
    """Everything a worker needs to answer, and the fence under which it may report."""

    generation_id: str
    fence: int
    campaign_id: str
    problem: Problem
    wanted: Wanted
    revision: int
    dataset: Dataset
    """Of the model's revision, so that what is expected and what is known agree; of the newest without a model."""
    seed: int
    model: ModelReference | None
    generator: ModelReference | None


def request(session: Session, campaign_id: str, wanted: Wanted) -> Generation:
    """Want compositions.

    Raises:
        NotFound: If there is no such campaign.
        InvalidInput: If a property is none of the campaign's, or the rules leave no composition.
    """
    problem = datasets.head(session, campaign_id).problem
    names = [p.property for p in problem.properties]
    if unknown := sorted(set(wanted.targets) - set(names)):
        message = f"{', '.join(unknown)} is none of the campaign's properties {', '.join(names)}"
        raise _wrong("/targets", message)
    try:
        narrowed(problem.space, wanted.constraints)
    except ValidationError as error:
        said = "; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())
        raise _wrong("/constraints", said) from error
    if wanted.process is not None:
        try:
            problem.space.encode_process(wanted.process)
        except InvalidComposition as error:
            raise _wrong("/process", str(error)) from error
    return get(session, generations.store(session, campaign_id, wanted.model_dump(mode="json")))


def get(session: Session, generation_id: str) -> Generation:
    """One generation.

    Raises:
        NotFound: If there is none of this id.
    """
    return _seen(generations.get(session, generation_id))


def page(session: Session, campaign_id: str, after: str | None, limit: int) -> list[Generation]:
    """The first `limit` generations of a campaign after the id `after`, oldest first.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaigns.get(session, campaign_id)
    return [_seen(row) for row in generations.page(session, campaign_id, after, limit)]


def due(sessions: Sessions) -> list[str]:
    """Generations to ring for."""
    return errands.due(sessions, GenerationRow)


def claim_generation(sessions: Sessions, generation_id: str, worker: str) -> GenerationInput | None:
    """Take a generation and read what it needs; None if it is done, not due or in other hands."""
    return errands.claim(sessions, GenerationRow, generation_id, worker, _read)


def renew_generation(sessions: Sessions, generation_id: str, fence: int) -> None:
    """Say that the work goes on.

    Raises:
        LeaseLost: If the fence no longer holds.
    """
    errands.renew(sessions, GenerationRow, generation_id, fence)


def report_generation(
    sessions: Sessions, job: GenerationInput, answer: Mapping[str, Any], used: tuple[str | None, str | None]
) -> bool:
    """Write an answer; False, with nothing written, if the fence no longer holds.

    Args:
        sessions: Where the record is.
        job: What was asked.
        answer: `models.designs.Designs` as JSON.
        used: Model versions that predicted and that drew.
    """
    with sessions.begin() as session:
        lock_campaign(session, job.campaign_id)
        values = {"state": "succeeded", "answer": dict(answer), "error": None, "revision": job.revision}
        values |= {"model_version_id": used[0], "generator_version_id": used[1]}
        if not finish(session, GenerationRow, job.generation_id, job.fence, values):
            return False
        told = {"generation_id": job.generation_id, "compositions": len(answer["compositions"])}
        events.append(session, job.campaign_id, "generation.answered", told)
        return True


def fail_generation(sessions: Sessions, job: GenerationInput, error: str, *, retry: bool) -> bool:
    """Give a generation back for another attempt; after the last, or without `retry`, it is dead."""
    return errands.fail(sessions, GenerationRow, job.generation_id, job.fence, error, retry=retry)


def _read(session: Session, row: GenerationRow) -> GenerationInput:
    head = datasets.head(session, row.campaign_id)
    problem, campaign = head.problem, campaigns.get(session, row.campaign_id)
    newest = models.newest(session, row.campaign_id)
    fits = newest is not None and alike(datasets.problem(session, row.campaign_id, newest.config_revision), problem)
    model = None
    if newest is not None and fits:
        told = (newest.id, newest.name, newest.revision, newest.snapshot_hash, newest.artifact_sha256)
        model = ModelReference(*told)
    revision = campaign.revision if model is None else model.revision
    rows = datasets.snapshot(session, row.campaign_id, revision)
    return GenerationInput(
        generation_id=row.id,
        fence=row.fence,
        campaign_id=row.campaign_id,
        problem=problem,
        wanted=Wanted.model_validate(row.asked),
        revision=revision,
        dataset=datasets.whole(session, row.campaign_id, problem, revision, rows).dataset,
        # By its id, so that asking again draws anew.
        seed=decision_seed(problem.seed, revision, sum(row.id.encode())),
        model=model,
        generator=newest_generator(session, row.campaign_id, problem),
    )


def _wrong(pointer: str, message: str) -> InvalidInput:
    return InvalidInput(message, [Violation(pointer=pointer, message=message)])


def _seen(row: GenerationRow) -> Generation:
    return Generation(**{name: getattr(row, name) for name in Generation.__dataclass_fields__})
