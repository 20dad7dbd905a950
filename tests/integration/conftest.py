"""A served API on a fresh database, and a lab that has films to measure."""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import func, insert, select

from benchmarks.keys import HEADERS, KEY
from models.problem import Problem
from service.app import create_app
from service.settings import DatabaseSettings, Settings
from service.store import campaigns, films
from service.store.session import Sessions
from service.store.tables import Base, JobRow, ProposalRow
from tests.integration.contract import check_declared

DEVICES = 5
PROBLEM = {
    "space": {
        "elements": ["Fe", "Ga", "Pd"],
        "process": [{"kind": "continuous", "name": "anneal_c", "unit": "degC", "lower": 200.0, "upper": 700.0}],
    },
    "objectives": [{"property": "magnetisation", "unit": "emu/cm3"}],
    "film": {"devices": DEVICES},
}

PROVENANCE = {
    "config_revision": 1,
    "revision": 0,
    "snapshot_hash": "0" * 64,
    "model_version_id": None,
    "policy": "random",
    "policy_options": {},
    "seed": 0,
    "pending_film_count": 0,
    "code_version": "0",
    "versions": {},
}


@contextmanager
def serving(app: Any) -> Iterator[httpx.Client]:
    """Serve `app` with uvicorn in a thread, on a socket that is bound before the first request; ask with a key."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        where = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # Whatever a test asks, the answer must be one that the API's description declares.
        hooks = {"response": [check_declared]}
        with httpx.Client(base_url=where, timeout=30, event_hooks=hooks, headers=HEADERS) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()


class Lab:
    """Campaigns and films as they stand when instruments report, written by the store itself."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self._numbers = itertools.count()

    def campaign(self, state: str = "active", problem: dict[str, Any] | None = None) -> str:
        config = {
            "problem": Problem.model_validate(problem or PROBLEM).model_dump(mode="json"),
            "queue_depth": 1,
            "budget_films": None,
            "lease_ttl_s": 300,
            "lease_overdue_s": 86400,
        }
        with self.sessions.begin() as session:
            campaign_id = campaigns.create(session, "wafer", config)
            if state != "draft":
                campaigns.move(session, campaign_id, ["draft"], state)
        return campaign_id

    def proposal(self, campaign_id: str, state: str = "ready") -> str:
        """A film proposed to be graded from Fe to Ga, with the decision it came from."""
        number = next(self._numbers)
        places = [k / (DEVICES - 1) for k in range(DEVICES)]
        devices = [
            {"index": k, "position": t, "composition": {"Fe": 1 - t, "Ga": t, "Pd": 0.0}, "predicted": None}
            for k, t in enumerate(places)
        ]
        ends = {"a": devices[0]["composition"], "b": devices[-1]["composition"]}
        proposal = {
            "id": f"prp_{campaign_id[4:]}_{number}",
            "campaign_id": campaign_id,
            "job_id": f"job_{campaign_id[4:]}_{number}",
            "config_revision": 1,
            "revision": 0,
            "state": state,
            "rank": 0,
            "film": {**ends, "process": {"anneal_c": 450.0}, "positions": places, "devices": devices},
            "source": "random",
            "policy": "random",
            "reason": "",
            "alternatives": [],
            "provenance": PROVENANCE,
        }
        job = {"id": proposal["job_id"], "campaign_id": campaign_id, "kind": "decide", "wanted_revision": 0}
        with self.sessions.begin() as session:
            session.execute(insert(JobRow).values(**job, state="succeeded"))
            session.execute(insert(ProposalRow).values(**proposal))
        return proposal["id"]

    def film(self, campaign_id: str, state: str = "made") -> str:
        """A film, and its proposal, in a state."""
        proposal_id = self.proposal(campaign_id, state)
        with self.sessions.begin() as session:
            film_id = films.start(session, session.get_one(ProposalRow, proposal_id), "robot")
            films.move(session, film_id, ["running"], state)
        return film_id

    def rows_by_table(self) -> dict[str, int]:
        """Number of rows of every table: equal before and after whatever must write nothing."""
        with self.sessions() as session:
            return {
                table.name: session.execute(select(func.count()).select_from(table)).scalar_one()
                for table in Base.metadata.sorted_tables
            }


class Api:
    """An instrument's view of the API."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self._keys = itertools.count()

    def get(self, path: str, **given: Any) -> httpx.Response:
        return self.client.get(path, **given)

    def post(self, path: str, key: str | None = None, **given: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key or f"key-{next(self._keys)}", **given.pop("headers", {})}
        return self.client.post(path, headers=headers, **given)

    def measure(self, campaign_id: str, rows: list[Any], key: str | None = None, **given: Any) -> httpx.Response:
        body = {"instrument": "squid", "measurements": rows} | given
        return self.post(f"/v1/campaigns/{campaign_id}/measurement-batches", key, json=body)


def reading(film_id: str, at: int, /, **said: Any) -> dict[str, Any]:
    """A good row for the device `at`; whatever is given replaces or adds to it, `...` takes away."""
    row = {
        "film_id": film_id,
        "device": at,
        "property": "magnetisation",
        "unit": "emu/cm3",
        "value": 100.0 + at,
        "std_uncertainty": 0.5,
        "measured_at": "2026-03-01T12:00:00Z",
    }
    return {k: v for k, v in (row | said).items() if v is not ...}


@pytest.fixture(name="reading")
def _reading():
    """The maker of good rows."""
    return reading


@pytest.fixture
def lab(sessions: Sessions) -> Lab:
    return Lab(sessions)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Of the API, and of a worker that shares its artifacts."""
    return Settings(database=DatabaseSettings(url=database_url), data_dir=tmp_path)


@pytest.fixture
def api(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setenv("FILMLOOP_KEY", KEY)  # where clients and commands look
    with serving(create_app(settings)) as client:
        yield Api(client)
