"""Campaigns whose decisions are made by hand, through what workers call: no worker and no broker are needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy import func, text, update

from models.film import Film
from models.problem import Problem
from service.operations import campaigns
from service.operations.claims import claim
from service.operations.decisions import DecisionInput, claim_decision, publish_decision
from service.operations.leases import complete, start
from service.store import jobs
from service.store.session import Sessions, make_engine, make_sessions


@contextmanager
def record(database_url: str, connections: int = 40) -> Iterator[Sessions]:
    """Sessions on a database for the length of a `with` block."""
    engine = make_engine(database_url, connections)
    try:
        yield make_sessions(engine)
    finally:
        engine.dispose()


@dataclass(frozen=True)
class Advice:
    """A recommendation made without a model."""

    film: Any
    mean: Any = None
    sd: Any = None
    gain: float | None = None
    policy: str = "random"
    source: str = "random"
    reason: str = "a film of the test"
    alternatives: tuple[Any, ...] = ()
    pairs: tuple[Any, ...] = ()
    cost: float | None = None
    start: str | None = None


class Loop:
    """Campaigns of 3 elements and 3 devices."""

    ELEMENTS = ("Fe", "Ga", "Pd")
    DEVICES = 3
    PROPERTY, UNIT = "magnetisation", "emu/cm3"

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self._random = np.random.default_rng(7)

    def problem(self) -> dict[str, Any]:
        """What the campaigns seek."""
        return {
            "space": {
                "elements": list(self.ELEMENTS),
                "process": [
                    {"kind": "continuous", "name": "anneal_c", "unit": "degC", "lower": 200.0, "upper": 700.0},
                    {"kind": "categorical", "name": "substrate", "choices": ["Si", "glass"]},
                ],
            },
            "objectives": [{"property": self.PROPERTY, "unit": self.UNIT}],
            "film": {"devices": self.DEVICES},
        }

    def campaign(
        self, *, queue_depth: int = 1, films: int | None = None, ttl_s: int = 300, overdue_s: int = 600
    ) -> str:
        """An active campaign."""
        with self.sessions.begin() as session:
            campaign = campaigns.create(
                session,
                "wafer",
                Problem.model_validate(self.problem()),
                queue_depth=queue_depth,
                budget_films=films,
                lease_ttl_s=ttl_s,
                lease_overdue_s=overdue_s,
            )
            campaigns.act(session, campaign.id, "activate")
        return campaign.id

    def advice(self, number: int) -> list[Advice]:
        """Random films."""
        s = np.linspace(0.0, 1.0, self.DEVICES)
        ends = self._random.dirichlet(np.ones(len(self.ELEMENTS)), size=(number, 2))
        return [Advice(Film(a, b, np.array([0.5, 1.0, 0.0]), s)) for a, b in ends]

    def take(self, campaign_id: str, worker: str = "worker") -> DecisionInput | None:
        """The input of the campaign's pending decision; None if there is none to take."""
        with self.sessions() as session:
            waiting = [job.id for job in jobs.live(session, campaign_id) if job.state == "pending"]
        return claim_decision(self.sessions, waiting[0], worker) if waiting else None

    def decide(self, campaign_id: str, films: int | None = None) -> DecisionInput:
        """Take the pending decision and publish random films, as many as are wanted if not said; return its input."""
        decision = self.take(campaign_id)
        assert decision is not None, "no decision is pending"
        advice: list[Any] = list(self.advice(films or decision.count))
        assert publish_decision(self.sessions, decision, None, advice)
        return decision

    def multiply(self, campaign_id: str, times: int) -> None:
        """Let every ready proposal be there so many times: thousands of films are more than a decision publishes."""
        same = (
            "campaign_id, job_id, config_revision, revision, state, fence, film, source, policy, reason, alternatives,"
            " pairs, provenance"
        )
        copies = (
            f"insert into proposal (id, rank, {same}) select id || '_' || k, rank + 1000 * k, {same}"  # noqa: S608
            " from proposal, generate_series(1, cast(:more as int)) k where campaign_id = :c and state = 'ready'"
        )
        with self.sessions.begin() as session:
            session.execute(text(copies), {"c": campaign_id, "more": times - 1})

    def film(self, campaign_id: str, robot: str = "robot") -> str:
        """A film that was just made; its proposal must be ready."""
        with self.sessions.begin() as session:
            lease = claim(session, campaign_id, robot, wait_for_decision=False).lease
        with self.sessions.begin() as session:
            film_id = start(session, lease.id, lease.token).film_id
        with self.sessions.begin() as session:
            complete(session, lease.id, lease.token, "ok", compositions=None, note=None)
        assert film_id is not None
        return film_id

    def made(self) -> tuple[str, str]:
        """A campaign and a film of it that was made."""
        campaign_id = self.campaign()
        self.decide(campaign_id)
        return campaign_id, self.film(campaign_id)

    def row(self, table: Any, row_id: str) -> Any:  # noqa: ANN401 - of any table
        """A row as it is now."""
        with self.sessions() as session:
            return session.get(table, row_id)

    def let_pass(self, table: Any, row_id: str, column: str) -> None:  # noqa: ANN401 - of any table
        """Move a deadline into the past, as if the time had gone by."""
        with self.sessions.begin() as session:
            past = func.now() - timedelta(seconds=1)
            session.execute(update(table).where(table.id == row_id).values({column: past}))
