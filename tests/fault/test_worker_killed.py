"""A worker killed in the middle of its decisions: the loop is delayed, and nothing else changes."""

import threading

import numpy as np
import pytest

from benchmarks.faults.served import wait_for
from filmloop_client import Client
from service.simulation.demo import Outcome, explore
from service.simulation.lab import Lab
from service.simulation.wafer import Wafer
from tests.fault.conftest import Stack

FILMS = 5
KILLS = 3
SEED = 4

pytestmark = pytest.mark.fault


def loop(stack: Stack) -> Outcome:
    """One campaign on the wafer by seed, with one robot and one instrument."""
    lab = Lab(Wafer.load(), seed=SEED, deposition_s=0.0)
    return explore(
        stack.url, lab, films=FILMS, devices=13, policy="expected_improvement", say=lambda _line: None, key=stack.key
    )


def kill_workers(stack: Stack, known: set[str], killed: list[str], stop: threading.Event) -> None:
    """Kill the worker whenever it is in the middle of a decision of a new campaign, each time for another job."""
    while len(killed) < KILLS and not stop.is_set():
        leased = stack.query("select id, campaign_id from job where state = 'leased'")
        fresh = [row.id for row in leased if row.campaign_id not in known and row.id not in killed]
        if not fresh:
            stop.wait(0.02)
            continue
        pid = stack.kill("worker-1")
        if stack.query("select 1 from job where id = :id and state = 'leased'", id=fresh[0]):
            killed.append(fresh[0])  # else it was done a moment before the kill
        stack.await_restart("worker-1", pid)


def films_of(stack: Stack, campaign_id: str) -> np.ndarray:
    """Composition and reading of every device, in the order in which they were made, `n x 4`."""
    with Client(stack.url, key=stack.key) as client:
        campaign = client.campaigns.get(campaign_id)
        films = sorted(campaign.films(), key=lambda film: film.started_at)
        order = {film.id: number for number, film in enumerate(films)}
        rows = sorted(campaign.dataset().rows, key=lambda row: (order[row.film_id], row.device))
        return np.array(
            [
                [row.composition[e] for e in ("Fe", "Ga", "Pd")] + [np.nan if row.value is None else row.value]
                for row in rows
            ]
        )


def test_a_killed_worker_delays_the_loop_and_changes_nothing_else(stack: Stack) -> None:
    undisturbed = loop(stack)
    killed: list[str] = []
    stop = threading.Event()
    killer = threading.Thread(target=kill_workers, args=(stack, {undisturbed.campaign_id}, killed, stop))
    killer.start()
    try:
        disturbed = loop(stack)
    finally:
        stop.set()
        killer.join()
    assert len(killed) == KILLS
    assert len(disturbed.progress.films) == FILMS
    np.testing.assert_allclose(
        films_of(stack, disturbed.campaign_id), films_of(stack, undisturbed.campaign_id), rtol=0, atol=1e-9
    )
    jobs = stack.query("select id, state, attempt from job where id = any(:ids)", ids=killed)
    assert {row.state for row in jobs} <= {"succeeded", "failed"}
    given_back = stack.query("select 1 from event where type = 'decision.failed' and data->>'error' like '%restarted%'")
    assert len(given_back) == KILLS
    wait_for(lambda: not stack.query("select 1 from job where state in ('pending', 'leased')"), within_s=30)
