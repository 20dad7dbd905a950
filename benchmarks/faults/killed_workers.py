"""Row 10: workers are killed at each phase of a decision, or hang alive."""

import os
import random
import signal
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from benchmarks.faults.found import Found
from benchmarks.faults.hands import PHASES, Hands, Order, hands
from benchmarks.faults.loop import Loop, record
from service.api.schemas.measurements import MeasurementCreate
from service.operations import measurements
from service.operations.decisions import abandon_decisions, sweep
from service.store import jobs
from service.store.tables import EventRow, JobRow, ProposalRow

SILENT_S = 2.0
"""After so much silence a worker ends itself here."""
HALF_PUBLISHED = text(
    "select count(*) from job j where j.campaign_id = :c and ("
    " (j.state = 'succeeded' and not exists (select from event e where e.campaign_id = :c"
    "   and e.type in ('decision.published', 'decision.overtaken') and e.data->>'job_id' = j.id))"
    " or (j.state <> 'succeeded' and (exists (select from proposal p where p.job_id = j.id)"
    "   or exists (select from model_version m where m.job_id = j.id))))"
)
"""Jobs that are closed without an outcome, or have one without being closed."""


def measured(loop: Loop, rng: random.Random) -> str:
    """A campaign with films that wait and one that was measured; a decision is asked for."""
    campaign_id = loop.campaign(queue_depth=3)
    loop.decide(campaign_id)
    film_id = loop.film(campaign_id)
    more_data(loop, campaign_id, film_id, rng)
    return campaign_id


def more_data(loop: Loop, campaign_id: str, film_id: str, rng: random.Random) -> None:
    """A batch of readings of every device of a film."""
    about: dict[str, Any] = {"film_id": film_id, "property": loop.PROPERTY, "unit": loop.UNIT}
    rows = [
        MeasurementCreate(
            **about, measured_at=datetime.now(UTC).isoformat(), device=k, value=rng.gauss(100.0 + 10 * k, 3.0)
        )
        for k in range(loop.DEVICES)
    ]
    with loop.sessions.begin() as session:
        measurements.record(session, campaign_id, "squid", rows)


def due(session: Session, campaign_id: str) -> str | None:
    """The campaign's pending job."""
    return next((job.id for job in jobs.live(session, campaign_id) if job.state == "pending"), None)


class Trial:
    """A campaign whose worker is killed; what must hold is looked at after every death."""

    def __init__(self, loop: Loop, workers: Hands, database_url: str, folder: Path, naive: str | None) -> None:
        self.loop, self._workers = loop, workers
        self._order = {"database": database_url, "data_dir": str(folder), "naive": naive}
        self.wrong: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    def job(self, campaign_id: str) -> str:
        """The pending job; a delay before the next attempt is let pass."""
        with self.loop.sessions.begin() as session:
            found = due(session, campaign_id)
            assert found is not None, "no decision is pending"
            session.execute(text("update job set run_after = now() where id = :id"), {"id": found})
        return found

    def order(self, job_id: str, **more: object) -> Order:
        """An order for the hands."""
        return Order(job_id=job_id, **{**self._order, **more})  # type: ignore[arg-type]  # each caller says which

    def kill(self, campaign_id: str, *, phase: str | None, after_s: float) -> None:
        """Let a worker die at a phase, or so many seconds after it began."""
        job_id = self.job(campaign_id)
        pid = self._workers.start(self.order(job_id, die_at=phase))
        if phase is None:
            time.sleep(after_s)
            os.kill(pid, signal.SIGKILL)
        status = self._workers.wait(pid)
        self.wrong["not ended by its death"] += status != -signal.SIGKILL
        self.look(campaign_id)
        abandon_decisions(self.loop.sessions, "worker")  # as the next process of this name does
        with self.loop.sessions() as session:
            state = jobs.get(session, job_id)
        assert state is not None
        self.ended[state.state] += 1

    def look(self, campaign_id: str) -> None:
        """Nothing is half published, and a robot has something to do."""
        with self.loop.sessions() as session:
            self.wrong["half published"] += session.execute(HALF_PUBLISHED, {"c": campaign_id}).scalar_one()
            ready = select(func.count()).where(ProposalRow.campaign_id == campaign_id, ProposalRow.state == "ready")
            self.wrong["nothing to claim"] += session.execute(ready).scalar_one() == 0

    def finish(self, campaign_id: str) -> None:
        """A worker that nobody kills does what is left."""
        sweep(self.loop.sessions)
        with self.loop.sessions() as session:
            job_id = due(session, campaign_id)
        if job_id is not None:
            self.wrong["the next worker failed"] += self._workers.work(self.order(self.job(campaign_id))) != 0
        with self.loop.sessions() as session:
            left = len(jobs.live(session, campaign_id))
            revision = text("select revision - coalesce(decided_revision, -1) from campaign where id = :c")
            behind = session.execute(revision, {"c": campaign_id}).scalar_one()
        self.wrong["not decided in the end"] += left > 0 or behind != 0
        self.look(campaign_id)

    def die_for_good(self, campaign_id: str) -> None:
        """Every attempt is killed: then the job is dead, an event says so, and new data are learned from again."""
        job_id = self.job(campaign_id)
        for _ in range(jobs.MAX_ATTEMPTS):
            self.kill(campaign_id, phase="training", after_s=0.0)
        job = self.loop.row(JobRow, job_id)
        with self.loop.sessions() as session:
            told = select(EventRow).where(EventRow.campaign_id == campaign_id, EventRow.type == "decision.dead")
            said = len(session.scalars(told).all())
        self.wrong["not dead after its last attempt"] += job.state != "dead" or said != 1
        self.look(campaign_id)

    def hang(self, campaign_id: str) -> None:
        """A worker that lives and makes no progress ends itself; its job goes on."""
        job_id = self.job(campaign_id)
        pid = self._workers.start(self.order(job_id, hang=True, silent_s=SILENT_S))
        status = self._workers.wait(pid, within_s=5 * SILENT_S)
        if status is None:
            self.wrong["a worker that hangs is not found out"] += 1
            os.kill(pid, signal.SIGKILL)
            self._workers.wait(pid)
        self.loop.let_pass(JobRow, job_id, "lease_until")
        self.look(campaign_id)


def run(database_url: str, folder: Path, *, kills: int, hangs: int, seed: int, naive: str | None = None) -> Found:
    """Kill workers at each phase in turn and at random moments; let some hang; let others finish.

    Args:
        database_url: A database with the schema.
        folder: For artifacts and logs.
        kills: How often.
        hangs: How many hang alive.
        seed: Of the moments and readings.
        naive: A variant of the worker.
    """
    chance = random.Random(seed)  # noqa: S311 - not a secret
    with record(database_url) as sessions, hands(folder) as workers:
        trial, done = Trial(Loop(sessions), workers, database_url, folder, naive), 0
        phases: list[str | None] = [*PHASES, None, None]
        campaign_id = measured(trial.loop, chance)
        while done < kills:
            with sessions() as session:
                pending = due(session, campaign_id) is not None
            if not pending or (done and done % 3 == 0):
                trial.finish(campaign_id)
                campaign_id = measured(trial.loop, chance)
            trial.kill(campaign_id, phase=phases[done % len(phases)], after_s=chance.uniform(0.0, 1.0))
            done += 1
        trial.finish(campaign_id)
        for _ in range(max(1, kills // 50) if naive is None else 0):
            doomed = measured(trial.loop, chance)
            trial.die_for_good(doomed)
            done += jobs.MAX_ATTEMPTS
        for _ in range(hangs):
            hanging = measured(trial.loop, chance)
            trial.hang(hanging)
            trial.finish(hanging)
    ends = ", ".join(f"{count} {state}" for state, count in sorted(trial.ended.items()))
    figure = f"{done} kills over {len(PHASES)} phases and random moments, jobs afterwards: {ends}; {hangs} hung alive"
    return Found(done + hangs, {kind: trial.wrong[kind] for kind in trial.wrong}, figure)
