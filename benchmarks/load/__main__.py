"""The load of a lab, for minutes: `python -m benchmarks.load --minutes 10 --write`.

Plays instruments, robots and readers of events against `filmloop up` with one worker that trains all the time.
`--saturate` then raises the rate of the instruments until the service cannot follow any more.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil

from benchmarks.load.http import Door
from benchmarks.load.played import ROWS, Lab, instrument, reader, robot
from benchmarks.load.watched import Watch, profile
from benchmarks.provenance import heading, markdown_table, provenance
from filmloop_client import Campaign, Client, Reading, Unreachable
from service.simulation.campaign import fe_ga_pd_problem
from service.simulation.wafer import PROPERTY, UNIT
from service.supervisor.run_file import read_run_file

FOLDER = Path(__file__).parents[1] / "results" / "load"
CAMPAIGNS = 4
"""That take the instruments' readings. They are paused: a lab does not learn from a million readings at once."""
DEVICES = 13
TRAINED_ON = 702
"""Readings of the campaign that is trained all the time: few enough that each of its fits is made anew."""
GOOD = {
    "measurement batch": frozenset({201}),
    "claim": frozenset({200, 201, 204}),
    "release": frozenset({200, 409}),
    "reading to train on": frozenset({201}),
}
"""Statuses that are no error. Calls are made when they are due: a robot's next claim may come while it gives back the
lease of the last one, and is answered with that very lease; and a lease may have been given back already."""
BOUNDS = {"measurement batch": 500.0, "claim": 300.0, "event lag": 2000.0}
"""Largest p99, ms."""


class Stack(NamedTuple):
    """A running Filmloop."""

    url: str
    key: str
    trained: str
    """The campaign that is trained all the time."""


@contextmanager
def up(folder: Path) -> Iterator[dict[str, Any]]:
    """`filmloop up` as an operator starts it; what it says of itself."""
    command = [sys.executable, "-m", "service.cli", "up", "--data-dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not _ready(folder):
            assert process.poll() is None, "filmloop up ended"
            assert time.monotonic() < deadline, "filmloop up is not ready"
            time.sleep(0.2)
        yield read_run_file(folder) or {}
    finally:
        process.terminate()
        process.wait(60)


def _ready(folder: Path) -> bool:
    facts = read_run_file(folder)
    return facts is not None and {"api", "housekeeping"} <= facts["pids"].keys()


def furnish(client: Client) -> tuple[list[tuple[str, str, str, str, int]], Campaign, Campaign]:
    """Campaigns for readings, one for robots, one that is trained all the time."""
    films = []
    for number in range(CAMPAIGNS):
        campaign, film = made(client, f"readings {number}")
        campaign.act("pause")
        films.append((campaign.id, film, PROPERTY, UNIT, DEVICES))
    robots, _ = made(client, "robots", queue_depth=20)
    trained, film = made(client, "trained")
    squid = trained.instrument("squid")
    for k in range(0, TRAINED_ON, 234):
        values = [5.0 + 0.3 * (d % DEVICES) + 0.01 * ((7 * d) % 11) for d in range(k, min(k + 234, TRAINED_ON))]
        squid.measure([_reading(film, k % DEVICES, value) for k, value in enumerate(values)])
    return films, robots, trained


def made(client: Client, name: str, queue_depth: int = 1) -> tuple[Campaign, str]:
    """An active campaign and a film of it."""
    problem = fe_ga_pd_problem(devices=DEVICES).model_dump(mode="json")
    campaign = client.campaigns.create(name, problem, queue_depth=queue_depth)
    campaign.activate()
    claim = None
    while claim is None:
        claim = campaign.robot("robot").claim(wait_s=20)
    film = claim.start()
    claim.complete()
    return campaign, film


def _reading(film: str, device: int, value: float) -> Reading:
    return Reading(film_id=film, device=device, property=PROPERTY, unit=UNIT, value=value)


async def keep_training(lab: Lab, stack: Stack, until: float) -> None:
    """One reading more every 2 s: each decision is out of date when it ends."""

    def more(number: int) -> int:
        try:
            squid.measure([_reading(film, number % DEVICES, 5.0 + 0.1 * (number % 7))])
        except Unreachable:
            return 0
        return 201

    with Client(stack.url, key=stack.key) as client:
        campaign = client.campaigns.get(stack.trained)
        squid, film, number = campaign.instrument("squid"), next(iter(campaign.films())).id, 0
        while time.perf_counter() < until:
            due = time.perf_counter()
            lab.of("reading to train on").note(due, await asyncio.to_thread(more, number))
            await asyncio.sleep(2.0)
            number += 1


async def play(lab: Lab, minutes: float, args: argparse.Namespace, stack: Stack) -> float:
    """All of them for so long; how long it took."""
    began = time.perf_counter()
    until = began + 60.0 * minutes
    await asyncio.gather(
        *(instrument(lab, k, args.period, until) for k in range(args.instruments)),
        *(robot(lab, k, 1.0, until) for k in range(args.robots)),
        *(reader(lab, k, until) for k in range(args.readers)),
        keep_training(lab, stack, until),
    )
    return time.perf_counter() - began


def minutes(lab: Lab, watch: Watch, began: float, lasted: float) -> list[dict[str, object]]:
    """One row per minute, and what others on the machine took of it meanwhile."""
    rows = []
    for number in range(max(1, round(lasted / 60))):
        row: dict[str, object] = {"minute": number + 1}
        for call in ("measurement batch", "claim"):
            first = began + 60 * number
            figures = lab.of(call).between(first, first + 60).figures(call, 60, GOOD[call])
            row |= {f"{call} p50_ms": figures["p50_ms"], f"{call} p99_ms": figures["p99_ms"]}
        others = [share for at, share in watch.others if 60 * number <= at < 60 * (number + 1)]
        rows.append(row | {"processors_taken_by_others": sum(others) / max(1, len(others))})
    return rows


def table(lab: Lab, lasted: float) -> list[dict[str, object]]:
    """One row per kind of call, and the lag of events."""
    rows = [lab.of(call).figures(call, lasted, good) for call, good in GOOD.items()]
    rows.append(lab.lag.figures("event lag", lasted, frozenset()) | {"errors": lab.ended_streams})
    for row in rows:
        bound = BOUNDS.get(str(row["call"]))
        row["p99_bound_ms"] = "" if bound is None else bound
    return rows


async def saturate(lab: Lab, args: argparse.Namespace) -> list[dict[str, object]]:
    """Raise the instruments' rate step by step, until their p99 is missed, or batches are refused."""
    rows, rate = list[dict[str, object]](), 1.5 * args.instruments / args.period
    while True:
        lab.taken.clear()
        until = time.perf_counter() + args.step
        each = args.instruments / rate
        await asyncio.gather(*(instrument(lab, k, each, until) for k in range(args.instruments)))
        found = lab.of("measurement batch").figures("measurement batch", args.step, GOOD["measurement batch"])
        rows.append({"asked_per_s": rate, "rows_per_s": rate * ROWS, **found})
        print(rows[-1], flush=True)
        if float(str(found["p99_ms"])) > BOUNDS["measurement batch"] or found["errors"]:
            return rows
        rate *= 1.5


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Everything once."""
    with tempfile.TemporaryDirectory(prefix="filmloop-load-") as folder, up(Path(folder)) as facts:
        key = (Path(folder) / "key").read_text().strip()
        with Client(facts["url"], key=key) as client:
            films, robots, trained = furnish(client)
            last = {c: max(event.seq for event in client.campaigns.get(c).events()) for c, *_ in films}
        where = urlsplit(facts["url"])
        door = Door(str(where.hostname), int(where.port or 80), {"Authorization": f"Bearer {key}"})
        stack = Stack(facts["url"], key, trained.id)
        found = asyncio.run(measured(Lab(door, films, robots.id, last), args, stack, facts))
        return {"restarts": _restarts(Path(folder)), **found}


async def measured(lab: Lab, args: argparse.Namespace, stack: Stack, facts: dict[str, Any]) -> dict[str, Any]:
    """The minutes; afterwards, where the API spends its time, and how much it can take."""
    watch = Watch(facts["pid"])
    watch.start()
    began = time.perf_counter()
    lasted = await play(lab, args.minutes, args, stack)
    watch.stop()
    processes = watch.rows()
    own = psutil.Process().cpu_times()
    models = await asyncio.to_thread(_models, stack)
    profiles = await profiled(int(facts["pids"]["api"]), lab.again(), args, stack)
    steps = await saturate(lab.again(), args) if args.saturate else []
    memory = {name: samples[:: max(1, len(samples) // 60)] for name, samples in watch.memory.items()}
    return {
        "minutes": lasted / 60,
        "models_trained_meanwhile": models,
        "cpu_share_of_the_load_itself": (own.user + own.system) / lasted,
        "rows": table(lab, lasted),
        "minute_by_minute": minutes(lab, watch, began, lasted),
        "processes": processes,
        "memory_over_time": memory,
        "profile_of_the_api": profiles,
        "saturation": steps,
    }


def _models(stack: Stack) -> int:
    with Client(stack.url, key=stack.key) as client:
        return len(list(client.campaigns.get(stack.trained).model_versions()))


async def profiled(pid: int, lab: Lab, args: argparse.Namespace, stack: Stack) -> list[dict[str, object]]:
    """Where the API spends its time under that load, which goes on for it: to look costs more than to be looked at."""
    if not args.profile:
        return []
    playing = asyncio.create_task(play(lab, (args.profile + 10) / 60, args, stack))
    found = await asyncio.to_thread(profile, pid, args.profile)
    await playing
    return found


def _restarts(folder: Path) -> int:
    """Processes that ended and were started again meanwhile."""
    return (folder / "log" / "filmloop.log").read_text().count("runs again")


def page(found: dict[str, Any], facts: dict[str, object]) -> str:
    """The tables as Markdown."""
    parts = ["# Load", "\n".join(f"- {key}: {value}" for key, value in facts.items())]
    told = ("minutes", "models_trained_meanwhile", "cpu_share_of_the_load_itself", "restarts")
    parts.append("\n".join(f"- {key}: {found[key]}" for key in told))
    parts.append("Latencies count from the moment at which a call was due.\n\n" + markdown_table(found["rows"]))
    parts.append(markdown_table(found["minute_by_minute"]))
    parts.append(
        "Memory is each process' own and its share of what is shared.\n\n" + markdown_table(found["processes"])
    )
    if found["profile_of_the_api"]:
        said = "Where the API spends its time, by py-spy; functions and lines.\n\n"
        parts.append(said + markdown_table(found["profile_of_the_api"]))
    if found["saturation"]:
        parts.append("Instruments alone, faster and faster.\n\n" + markdown_table(found["saturation"]))
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Play, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--instruments", type=int, default=32)
    parser.add_argument("--period", type=float, default=1.0, help="seconds between two batches of an instrument")
    parser.add_argument("--robots", type=int, default=16)
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--profile", type=int, default=30, help="seconds of py-spy after the minutes; 0 for none")
    parser.add_argument("--saturate", action="store_true")
    parser.add_argument("--step", type=float, default=20.0, help="seconds of each step of the saturation")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--name", default="load", help="of the stored table; a soak gets another one")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(heading("load"), flush=True)
    said = {k: v for k, v in vars(args).items() if k not in {"write", "name"}}
    facts, found = {**provenance(), **said}, run(args)
    told = page(found, facts)
    print(told)
    if args.write:
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{args.name}.json").write_text(json.dumps(facts | found, indent=1) + "\n")
        (FOLDER / f"{args.name}.md").write_text(told)
    wrong = sum(int(row["errors"]) for row in found["rows"])
    late = [row for row in found["rows"] if row["p99_bound_ms"] and row["p99_ms"] > row["p99_bound_ms"]]
    return 0 if not wrong and not late else 1


if __name__ == "__main__":
    sys.exit(main())
