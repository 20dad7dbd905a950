"""Row 11: data that no model likes. A failure has a type, flagged films serve, and claims stay possible."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select

from benchmarks.faults.found import Found
from benchmarks.faults.hands import Hands, Order, hands
from benchmarks.faults.killed_workers import due
from benchmarks.faults.loop import Loop, record
from models import errors
from service.api.schemas.measurements import MeasurementCreate
from service.errors import InvalidInput
from service.operations import measurements
from service.operations.claims import claim
from service.operations.leases import complete, start
from service.store.tables import JobRow, ProposalRow

Values = Iterator[dict[str, Any]]
TYPED = tuple(name for name, kind in vars(errors).items() if isinstance(kind, type))


def _reading(device: int, value: float | None, **more: object) -> dict[str, Any]:
    return {"device": device, "value": value, **more}


def one_point(_chance: random.Random) -> Values:
    """A single reading."""
    yield _reading(0, 5.0)


def equal(_chance: random.Random) -> Values:
    """Every reading is the same, to the last digit."""
    for k in range(30):
        yield _reading(k % Loop.DEVICES, 7.0)


def zeros(_chance: random.Random) -> Values:
    """All are zero, and said to be as exact as can be said."""
    for k in range(Loop.DEVICES):
        yield _reading(k, 0.0, std_uncertainty=1e-100)


def duplicates(chance: random.Random) -> Values:
    """One device, read 200 times."""
    for _ in range(200):
        yield _reading(1, chance.gauss(100.0, 1.0))


def contradictions(chance: random.Random) -> Values:
    """One device, read often, each time with another value and said to be exact."""
    for _ in range(40):
        yield _reading(1, chance.uniform(-1e3, 1e3), std_uncertainty=1e-12)


def outliers(chance: random.Random) -> Values:
    """Some readings lie a million standard deviations away."""
    for k in range(30):
        yield _reading(k % Loop.DEVICES, 100.0 + chance.gauss(0.0, 1.0) + (1e6 if k % 10 == 0 else 0.0))


def huge(chance: random.Random) -> Values:
    """As large as is taken."""
    for k in range(12):
        yield _reading(k % Loop.DEVICES, chance.choice((-1.0, 1.0)) * 1e100)


def tiny(chance: random.Random) -> Values:
    """As small as numbers can be."""
    for k in range(12):
        yield _reading(k % Loop.DEVICES, chance.uniform(0.0, 1.0) * 5e-324)


def all_dead(_chance: random.Random) -> Values:
    """No device works."""
    for k in range(Loop.DEVICES):
        yield _reading(k, None, status="dead")


def wide(chance: random.Random) -> Values:
    """Values and uncertainties over hundreds of decades."""
    for k in range(30):
        size = 10.0 ** chance.uniform(-95, 95)
        yield _reading(k % Loop.DEVICES, size, std_uncertainty=10.0 ** chance.uniform(-95, 95))


KINDS: dict[str, Callable[[random.Random], Values]] = {
    kind.__name__: kind
    for kind in (one_point, equal, zeros, duplicates, contradictions, outliers, huge, tiny, all_dead, wide)
}


def run(
    database_url: str,
    folder: Path,
    *,
    rounds: int,
    seed: int,
    naive: str | None = None,
    kinds: Sequence[str] = tuple(KINDS),
) -> Found:
    """Let a worker decide on each kind of poison, on one film and then on two with the same compositions.

    Args:
        database_url: A database with the schema.
        folder: For artifacts and logs.
        rounds: How often each kind comes.
        seed: Of the values.
        naive: A variant of the worker.
        kinds: Of poison.
    """
    chance, wrong, outcomes = random.Random(seed), Counter[str](), Counter[str]()  # noqa: S311 - not a secret
    with record(database_url) as sessions, hands(folder) as workers:
        loop = Loop(sessions)
        order = {"database": database_url, "data_dir": str(folder), "naive": naive}
        for _ in range(rounds):
            for make in (KINDS[kind] for kind in kinds):
                campaign_id, films = _two_films_alike(loop)
                for film_id in films:
                    _record(loop, campaign_id, film_id, list(make(chance)), wrong)
                    outcomes[_decide(loop, workers, order, campaign_id, wrong)] += 1
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    return Found(2 * rounds * len(kinds), dict(wrong), f"{len(kinds)} kinds of poison: {told}")


def _two_films_alike(loop: Loop) -> tuple[str, list[str]]:
    """A campaign with two films of the same compositions: their rows of the kernel are equal."""
    campaign_id = loop.campaign(queue_depth=4)
    loop.decide(campaign_id, 1)
    loop.multiply(campaign_id, 4)
    films = []
    for number in range(2):
        with loop.sessions.begin() as session:
            lease = claim(session, campaign_id, f"robot-{number}", wait_for_decision=False).lease
        with loop.sessions.begin() as session:
            films.append(str(start(session, lease.id, lease.token).film_id))
        with loop.sessions.begin() as session:
            complete(session, lease.id, lease.token, "ok", compositions=None, note=None)
    return campaign_id, films


def _record(loop: Loop, campaign_id: str, film_id: str, values: list[dict[str, Any]], wrong: Counter[str]) -> None:
    about: dict[str, Any] = {"film_id": film_id, "property": loop.PROPERTY, "unit": loop.UNIT}
    try:
        rows = [MeasurementCreate(**about, measured_at=datetime.now(UTC).isoformat(), **value) for value in values]
        with loop.sessions.begin() as session:
            measurements.record(session, campaign_id, "squid", rows)
    except (InvalidInput, ValidationError):  # refused with a reason: as good as taken
        wrong["refused without a reason"] += 0


def _decide(loop: Loop, workers: Hands, order: dict[str, Any], campaign_id: str, wrong: Counter[str]) -> str:
    """One decision; what became of it."""
    with loop.sessions() as session:
        job_id = due(session, campaign_id)
    if job_id is None:
        return "refused at the door"
    wrong["the worker broke down"] += workers.work(Order(job_id=job_id, **order)) != 0
    job = loop.row(JobRow, job_id)
    with loop.sessions() as session:
        ready = select(ProposalRow).where(ProposalRow.campaign_id == campaign_id, ProposalRow.state == "ready")
        films = session.scalars(ready).all()
    wrong["nothing to claim"] += not films
    if job.state != "succeeded":
        wrong["a failure without a type"] += not str(job.error).startswith(TYPED)
        wrong["no films in its place"] += 1
        return f"failed ({str(job.error).split(':')[0]})"
    own = [film for film in films if film.job_id == job_id]
    without = [film for film in own if film.model_version_id is None]
    flagged = all(film.source != "model" and film.reason for film in without)
    wrong["films without a model that do not say so"] += not flagged
    return "decided without a model" if without else "decided by a model"
