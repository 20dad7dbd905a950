"""How long one client waits for `GET …/proposals/next` and for a claim while a worker trains without pause.

Run: `python -m benchmarks.latency --readings 1040 --calls 300`

The whole stack runs as `filmloop up` starts it. The campaign is filled through HTTP to the wanted number of readings;
then a second client posts one reading after the other, each of which asks for a new decision, so that the worker trains
and optimises all the time. Every claim is released again. The decisions made meanwhile are printed beside.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.provenance import heading, markdown_table, provenance, write_study
from filmloop_client import Campaign, Client, Instrument, Reading
from filmloop_client.answers import ProposedDevice
from service.settings import Settings
from service.simulation.campaign import fe_ga_pd_problem
from service.simulation.wafer import PROPERTY, UNIT, Wafer
from service.supervisor import Running, running

Rng = np.random.Generator
Row = dict[str, float | str]


def measured_film(campaign: Campaign, wafer: Wafer, rng: Rng) -> tuple[str, int]:
    """Claim, make and measure one film; its id, and how many readings were stored."""
    claim = None
    while claim is None:
        claim = campaign.robot("robot").claim(wait_s=60)
    film_id = claim.start()
    claim.complete()
    return film_id, post(campaign.instrument("squid"), film_id, wafer, claim.film.devices, rng)


def fill(campaign: Campaign, readings: int, wafer: Wafer, rng: Rng) -> str:
    """Make and measure films until the campaign holds at least `readings`; returns the last film's id."""
    stored, film_id = 0, ""
    while stored < readings:
        film_id, more = measured_film(campaign, wafer, rng)
        stored += more
    return film_id


def post(instrument: Instrument, film_id: str, wafer: Wafer, devices: Sequence[ProposedDevice], rng: Rng) -> int:
    """Post one reading per device; returns how many."""
    X = np.array([[d.composition[e] for e in ("Fe", "Ga", "Pd")] for d in devices])
    values = wafer.truth(X) + rng.normal(0, 0.15, len(X))
    instrument.measure(
        [
            Reading(film_id=film_id, device=d.index, property=PROPERTY, unit=UNIT, value=float(v))
            for d, v in zip(devices, values, strict=True)
        ]
    )
    return len(devices)


def keep_training(stack: Running, campaign_id: str, film_id: str, stop: threading.Event) -> None:
    """Post one more reading every 2 s: a decision takes longer, so each is out of date when it ends."""
    with Client(stack.url, key=stack.key) as client:
        instrument = client.campaigns.get(campaign_id).instrument("squid")
        rng = np.random.default_rng(7)
        while not stop.wait(2.0):
            value = float(rng.normal(5.0, 0.2))
            instrument.measure([Reading(film_id=film_id, device=0, property=PROPERTY, unit=UNIT, value=value)])


def milliseconds(call: Callable[[], object], calls: int) -> list[float]:
    """Wall milliseconds of each call."""
    taken = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        taken.append(1e3 * (time.perf_counter() - start))
    return taken


def claims(campaign: Campaign, calls: int) -> tuple[list[float], int]:
    """Milliseconds of each claim that was served, and how many found nothing ready."""
    robot, taken, empty = campaign.robot("probe"), [], 0
    while len(taken) < calls:
        start = time.perf_counter()
        claim = robot.claim(wait_s=0)
        if claim is None:
            empty += 1
            continue
        taken.append(1e3 * (time.perf_counter() - start))
        claim.release()
    return taken, empty


def summary(name: str, taken: list[float]) -> Row:
    """p50, p99 and maximum of one call."""
    p99 = float(np.quantile(taken, 0.99))
    return {"call": name, "calls": len(taken), "p50_ms": statistics.median(taken), "p99_ms": p99, "max_ms": max(taken)}


def under_training(campaign: Campaign, stack: Running, film_id: str, calls: int) -> tuple[list[Row], dict[str, object]]:
    """Time both calls while another client keeps the worker training."""
    before, stop, began = len(list(campaign.model_versions())), threading.Event(), time.perf_counter()
    poster = threading.Thread(target=keep_training, args=(stack, campaign.id, film_id, stop))
    poster.start()
    try:
        looks = milliseconds(campaign.next_proposal, calls)
        taken, empty = claims(campaign, calls)
    finally:
        stop.set()
        poster.join()
    facts: dict[str, object] = {
        "seconds": round(time.perf_counter() - began, 1),
        "decisions_meanwhile": len(list(campaign.model_versions())) - before,
        "claims_with_nothing_ready": empty,
    }
    return [summary("GET proposals/next", looks), summary("POST claims", taken)], facts


def measure(readings: int, calls: int) -> tuple[list[Row], dict[str, object]]:
    """Run the whole stack, fill a campaign, and time both calls."""
    wafer, rng = Wafer.load(), np.random.default_rng(1)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Settings(data_dir=Path(folder))) as stack,
        Client(stack.url, key=stack.key) as client,
    ):
        problem = fe_ga_pd_problem(wafer).model_dump(mode="json") | {"initial_films": 1 + readings // 13}
        campaign = client.campaigns.create("latency", problem, queue_depth=3)
        campaign.activate()
        film_id = fill(campaign, readings, wafer, rng)
        rows, facts = under_training(campaign, stack, film_id, calls)
        return rows, {"readings": readings, **facts}


def main() -> None:
    """Print the table and store it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--readings", type=int, default=1040)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    args = parser.parse_args()
    facts = provenance()
    print(heading("latency of a robot's calls while a worker trains, one client, wall milliseconds"))
    rows, more = measure(args.readings, args.calls)
    print("\n".join([markdown_table(rows), "", json.dumps(more)]))
    if args.write:
        write_study("latency", {**facts, **more}, rows)


if __name__ == "__main__":
    main()
