"""Row 5: robots die before and after the start, and come back when others have taken their place."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx

from benchmarks.faults.found import Found
from benchmarks.faults.killed_api import body
from benchmarks.faults.loop import Loop, record
from benchmarks.faults.served import served
from service.operations.decisions import sweep
from service.store.session import Sessions
from service.store.tables import ProposalRow

SHORTEST_S = 4
"""Of a lease here; robots that die together must have claimed within it."""
PATIENCE_S = 30.0
"""Only a bound: a sweep comes every half second here."""


@dataclass(frozen=True)
class Held:
    """What a robot remembers of its film."""

    robot: str
    lease: dict[str, Any]
    proposal_id: str
    film_id: str | None = None


class Robots:
    """Robots of one campaign, as they speak to the API."""

    def __init__(self, url: str, campaign_id: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60)
        self._campaign = f"/v1/campaigns/{campaign_id}"
        self._keys = iter(range(10**9))

    def _post(self, path: str, content: object, **headers: str) -> httpx.Response:
        return self._http.post(path, json=content, headers={"Idempotency-Key": f"key-{next(self._keys)}"} | headers)

    def claim(self, name: str) -> Held | None:
        """A film for a robot; none if there is none."""
        answer = self._post(f"{self._campaign}/claims", {"robot": name})
        if answer.status_code == 204:
            return None
        claim = answer.raise_for_status().json()
        return Held(name, claim["lease"], claim["proposal"]["id"])

    def act(self, held: Held, action: str) -> httpx.Response:
        """Something under a lease, live or not."""
        said = {"fail": {"outcome": "equipment", "reason": "it came back"}, "complete": {"outcome": "ok"}}
        content = said.get(action, {})
        return self._post(f"/v1/leases/{held.lease['id']}/{action}", content, **{"Lease-Token": held.lease["token"]})

    def start(self, held: Held) -> Held:
        """Begin to make the film."""
        film_id = self.act(held, "start").raise_for_status().json()["film_id"]
        return replace(held, film_id=film_id)

    def measure(self, film_id: str, number: int) -> httpx.Response:
        """Report readings of a film."""
        return self._post(f"{self._campaign}/measurement-batches", body(film_id, number))

    def resolve(self, proposal_id: str) -> httpx.Response:
        """A person gives an overdue film up."""
        return self._post(f"/v1/proposals/{proposal_id}/actions", {"action": "resolve", "outcome": "equipment"})

    def rows(self, film_ids: set[str]) -> Counter[str]:
        """Readings that count, by film."""
        found: dict[str, Any] = self._http.get(f"{self._campaign}/dataset?limit=10000").raise_for_status().json()
        assert found["next"] is None
        return Counter(row["film_id"] for row in found["rows"] if row["film_id"] in film_ids)

    def close(self) -> None:
        """Hang up."""
        self._http.close()


@contextmanager
def swept(sessions: Sessions) -> Iterator[None]:
    """Let somebody note every half second what is over, as housekeeping does."""
    stop = Event()

    def often() -> None:
        while not stop.wait(0.5):
            sweep(sessions)

    thread = Thread(target=often)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def run(database_url: str, folder: Path, *, robots: int, naive: str | None = None) -> Found:
    """Let robots die in both ways, let others go on, and let the dead return.

    Args:
        database_url: A database with the schema.
        folder: For logs.
        robots: How many die before the start, and as many after it.
        naive: A variant of the API.
    """
    wrong: Counter[str] = Counter()
    with record(database_url) as sessions, served(database_url, folder, naive) as api:
        loop = Loop(sessions)
        lease_s = SHORTEST_S + robots // 8
        campaign_id = loop.campaign(queue_depth=20, ttl_s=lease_s, overdue_s=lease_s)
        loop.decide(campaign_id, 2 * robots)
        lab = Robots(api.url, campaign_id)
        after = [lab.start(held) for held in _claimed(lab, "after", robots)]
        before = _claimed(lab, "before", robots)
        with swept(sessions):
            for held, state in ((before, "ready"), (after, "overdue")):
                wrong[f"silent and not {state}"] += _not_in(loop, held, state)
        _before(lab, before, wrong)
        _after(lab, after, wrong)
        lab.close()
    figure = f"{robots} robots died before the start, {robots} after it; all came back"
    return Found(2 * robots, wrong, figure)


def _claimed(lab: Robots, kind: str, number: int) -> list[Held]:
    found = [lab.claim(f"{kind}-{k}") for k in range(number)]
    assert None not in found
    return [held for held in found if held is not None]


def _not_in(loop: Loop, dead: list[Held], state: str) -> int:
    """How many films of silent robots do not come into a state in time."""

    def late() -> int:
        return sum(loop.row(ProposalRow, held.proposal_id).state != state for held in dead)

    deadline = time.monotonic() + PATIENCE_S
    while late() and time.monotonic() < deadline:
        time.sleep(0.1)
    return late()


def _before(lab: Robots, dead: list[Held], wrong: Counter[str]) -> None:
    """Another robot is given each film of those that died before the start; then the first one returns."""
    fences = {held.proposal_id: held.lease["fence"] for held in dead}
    zombies = {held.proposal_id: held for held in dead}
    for k in range(len(dead)):
        other = lab.claim(f"other-{k}")
        if other is None:
            wrong["not given to another"] += 1
            continue
        zombie = zombies.pop(other.proposal_id)
        wrong["given again under no higher fence"] += other.lease["fence"] <= fences[other.proposal_id]
        for action in ("renew", "start", "release"):
            wrong[f"zombie may {action}"] += lab.act(zombie, action).status_code != 409
        begun = lab.act(other, "start")
        wrong["its successor is held up"] += begun.status_code != 200
        for action in ("complete", "fail"):
            wrong[f"zombie may {action}"] += lab.act(zombie, action).status_code != 409
        wrong["its successor is held up"] += lab.act(other, "complete").status_code != 200
    wrong["not given to another"] += len(zombies)


def _after(lab: Robots, dead: list[Held], wrong: Counter[str]) -> None:
    """Half of the overdue films are given up by a person; then their robots return, with data."""
    wrong["an overdue film given to another"] += lab.claim("late") is not None
    given_up, waited_for = dead[: len(dead) // 2], dead[len(dead) // 2 :]
    for held in given_up:
        lab.resolve(held.proposal_id).raise_for_status()
        for action in ("renew", "complete"):
            wrong[f"zombie may {action}"] += lab.act(held, action).status_code != 409
    for held in waited_for:  # nobody said what came of it: its own robot may
        wrong["its own robot is refused"] += lab.act(held, "renew").status_code != 200
    films = {held.film_id: number for number, held in enumerate(dead, start=1) if held.film_id is not None}
    for film_id, number in films.items():
        wrong["data refused"] += lab.measure(film_id, number).status_code != 201
    rows = lab.rows(set(films))
    wrong["data stored and not used"] += sum(rows[film_id] == 0 for film_id in films)
