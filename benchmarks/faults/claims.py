"""Row 4: many robots, each a process, claim films at the same time."""

import random
import time
from collections import Counter, defaultdict
from itertools import pairwise
from multiprocessing.queues import Queue
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from benchmarks.faults.found import Found
from benchmarks.faults.loop import Loop, record
from benchmarks.faults.served import CONTEXT, served
from filmloop_client.transport import Transport
from service.store.session import Sessions
from service.store.tables import FilmRow

RELEASED = 0.1
"""Share of the claims that are given back before the start, so that films go round under rising fences."""
AT_ONCE = 20
"""Films of one decision; there are a multiple of them."""
ENOUGH = 3
"""So often a robot is told that there is nothing before it ends; others may give films back."""


class Grant(NamedTuple):
    """What a robot remembers of one film that it was given. Times are of a clock that all processes share."""

    proposal_id: str
    fence: int
    robot: str
    asked: float
    answered: float
    begun: bool


def robot(url: str, campaign_id: str, name: str, seed: int, told: "Queue[list[Grant]]") -> None:
    """Claim, start and complete films, or give them back, until there are no more."""
    chance, grants, empty = random.Random(seed), list[Grant](), 0  # noqa: S311 - not a secret
    transport = Transport(url, timeout=60, patience=120)
    while empty < ENOUGH:
        asked = time.monotonic()
        answer = transport.post(f"/v1/campaigns/{campaign_id}/claims", {"robot": name})
        answered = time.monotonic()
        if answer.status_code == 204:
            empty += 1
            time.sleep(0.2)
            continue
        claim, begun = answer.json(), chance.random() > RELEASED
        lease, headers = claim["lease"], {"Lease-Token": claim["lease"]["token"]}
        for action in ("start", "complete") if begun else ("release",):
            said = {"outcome": "ok"} if action == "complete" else {}
            transport.post(f"/v1/leases/{lease['id']}/{action}", said, headers=headers)
        grants.append(Grant(claim["proposal"]["id"], lease["fence"], name, asked, answered, begun))
    transport.close()
    told.put(grants)


def judge(grants: list[Grant], films: int) -> dict[str, int]:
    """Every film is begun once, no fence is given twice, and whoever was given a film later has the higher fence."""
    of_film: dict[str, list[Grant]] = defaultdict(list)
    for grant in grants:
        of_film[grant.proposal_id].append(grant)
    begun = Counter(grant.proposal_id for grant in grants if grant.begun)
    wrong = Counter[str]()
    for given in of_film.values():
        given.sort(key=lambda grant: grant.fence)
        wrong["one fence given twice"] += sum(a.fence == b.fence for a, b in pairwise(given))
        wrong["a later claim under a lower fence"] += sum(b.answered < a.asked for a, b in pairwise(given))
    wrong["films begun twice"] = sum(count - 1 for count in begun.values())
    wrong["films never begun"] = films - len(begun)
    return dict(wrong)


def run(database_url: str, folder: Path, *, robots: int, films: int, seed: int, naive: str | None = None) -> Found:
    """Let robots empty a queue, one process each; `films` is a multiple of 20."""
    assert films % AT_ONCE == 0
    told = CONTEXT.Queue()
    with record(database_url) as sessions, served(database_url, folder, naive) as api:
        loop = Loop(sessions)
        campaign_id = loop.campaign(queue_depth=20)
        loop.decide(campaign_id, AT_ONCE)
        loop.multiply(campaign_id, films // AT_ONCE)
        began = time.monotonic()
        processes = [
            CONTEXT.Process(target=robot, args=(api.url, campaign_id, f"robot-{k}", seed + k, told))
            for k in range(robots)
        ]
        for process in processes:
            process.start()
        grants = [grant for _ in processes for grant in told.get(timeout=1800)]
        for process in processes:
            process.join()
        took = time.monotonic() - began
        wrong = judge(grants, films)
        wrong["films in the record that robots do not know"] = _unknown(sessions, campaign_id, grants)
    again = sum(grant.fence > 1 for grant in grants)
    figure = f"{robots} processes, {films} films, {len(grants)} claims in {took:.0f} s, {again} of films that came back"
    return Found(len(grants), wrong, figure)


def _unknown(sessions: Sessions, campaign_id: str, grants: list[Grant]) -> int:
    """Films whose proposals no robot began."""
    begun = {grant.proposal_id for grant in grants if grant.begun}
    with sessions() as session:
        made = session.scalars(select(FilmRow.proposal_id).where(FilmRow.campaign_id == campaign_id)).all()
    return sum(proposal_id not in begun for proposal_id in made)
