"""How large a record may grow: ingest, snapshot, dataset and decision input at 10^4, 10^5, 10^6 readings of a campaign.

Run: `python -m benchmarks.record_size --readings 10000 100000 1000000`

A durable embedded Postgres and the API as a process of its own. Readings of 200 films with 13 devices come as Parquet,
50,000 rows at most per request. Wall seconds and CPU seconds of the API; memory is the largest resident set of the
process that does the work while it does it.
"""

import argparse
import io
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import insert
from sqlalchemy.orm import Session

from benchmarks.keys import HEADERS, admit
from benchmarks.provenance import heading, markdown_table, provenance, write_study
from service.embedded import start_postgres
from service.store import films
from service.store.schema import upgrade
from service.store.session import make_engine, make_sessions
from service.store.tables import JobRow, ProposalRow

FILMS, DEVICES, ROWS = 200, 13, 50_000
Row = dict[str, object]
PROBLEM = {
    "space": {"elements": ["Fe", "Ga", "Pd"]},
    "objectives": [{"property": "magnetisation", "unit": "kA/m"}],
    "film": {"devices": DEVICES},
}


PROVENANCE = {
    "config_revision": 1,
    "revision": 0,
    "snapshot_hash": None,
    "model_version_id": None,
    "policy": "random",
    "policy_options": {},
    "seed": 0,
    "pending_film_count": 0,
    "code_version": "0",
    "versions": {},
}


@contextmanager
def served(url: str) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """The API as a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "service.app:create_app", "--port", str(port)]
    environment = os.environ | {"FILMLOOP_DATABASE__URL": url, "FILMLOOP_LOG__LEVEL": "ERROR"}
    admit(url)
    with subprocess.Popen([*command, "--log-level", "error"], env=environment) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600, headers=HEADERS) as client:
                while not answers(client):
                    time.sleep(0.2)
                yield client, psutil.Process(process.pid)
        finally:
            process.terminate()


def answers(client: httpx.Client) -> bool:
    """Whether the API is up."""
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False


def new_campaign(client: httpx.Client, url: str) -> tuple[str, list[str]]:
    """A campaign and its films, which the store makes without robots."""
    body = {"name": "large", "problem": PROBLEM}
    campaign: str = client.post("/v1/campaigns", json=body, headers={"Idempotency-Key": os.urandom(8).hex()}).json()[
        "id"
    ]
    key = {"Idempotency-Key": os.urandom(8).hex()}
    client.post(f"/v1/campaigns/{campaign}/actions", json={"action": "activate"}, headers=key).raise_for_status()
    engine = make_engine(url)
    with make_sessions(engine).begin() as session:
        ids = [films.start(session, proposal(session, campaign, k), "robot") for k in range(FILMS)]
        for film_id in ids:
            films.move(session, film_id, ["running"], "made")
    engine.dispose()
    return campaign, ids


def proposal(session: Session, campaign: str, number: int) -> ProposalRow:
    """A proposal that was taken, graded from iron to gallium."""
    shares = np.linspace(0.0, 1.0, DEVICES).tolist()
    devices = [
        {"index": k, "position": t, "composition": {"Fe": 1 - t, "Ga": t, "Pd": 0.0}} for k, t in enumerate(shares)
    ]
    job = {"id": f"job_{campaign}_{number}", "campaign_id": campaign, "kind": "decide", "wanted_revision": 0}
    session.execute(insert(JobRow).values(**job, state="succeeded"))
    row = ProposalRow(
        id=f"prp_{campaign}_{number}",
        campaign_id=campaign,
        job_id=job["id"],
        config_revision=1,
        revision=0,
        state="made",
        rank=0,
        film={"a": {"Fe": 1.0}, "b": {"Ga": 1.0}, "process": {}, "devices": [d | {"predicted": None} for d in devices]},
        source="random",
        policy="random",
        reason="",
        alternatives=[],
        provenance=PROVENANCE,
    )
    session.add(row)
    session.flush()
    return row


def batch(film_ids: list[str], first: int, rows: int) -> bytes:
    """Readings number `first` and following as Parquet."""
    numbers = np.arange(first, first + rows)
    begun = datetime(2026, 3, 1, tzinfo=UTC)
    table = {
        "uid": [f"squid-1/{n:08d}" for n in numbers],
        "film_id": [film_ids[n // DEVICES % FILMS] for n in numbers],
        "device": numbers % DEVICES,
        "property": ["magnetisation"] * rows,
        "unit": ["A/m"] * rows,
        "value": np.random.default_rng(first).normal(4e5, 1e3, rows),
        "std_uncertainty": np.full(rows, 500.0),
        "measured_at": [begun + timedelta(seconds=int(n)) for n in numbers],
    }
    file = io.BytesIO()
    pq.write_table(pa.table(table), file)
    return file.getvalue()


def peak_mb(pid: int, work: Callable[[], object]) -> float:
    """Largest resident set of a process during some work, in MB."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    work()
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def timed(process: psutil.Process, work: Callable[[], object]) -> tuple[float, float, float]:
    """Wall seconds, the process' CPU seconds and its largest resident set in MB."""
    cpu, began = sum(process.cpu_times()[:2]), time.perf_counter()
    memory = peak_mb(process.pid, work)
    return time.perf_counter() - began, sum(process.cpu_times()[:2]) - cpu, memory


def ingest(client: httpx.Client, campaign: str, film_ids: list[str], readings: int) -> None:
    """Post the readings."""
    path = f"/v1/campaigns/{campaign}/measurement-batches?instrument=squid-1"
    for first in range(0, readings, ROWS):
        body = batch(film_ids, first, min(ROWS, readings - first))
        headers = {"Content-Type": "application/vnd.apache.parquet", "Idempotency-Key": f"{campaign}-{first}"}
        answer = client.post(path, content=body, headers=headers)
        answer.raise_for_status()


def page(client: httpx.Client, campaign: str, **query: object) -> dict[str, Any]:
    """One page of the dataset."""
    answer = client.get(f"/v1/campaigns/{campaign}/dataset", params=query)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def all_pages(client: httpx.Client, campaign: str) -> None:
    """Every page of the dataset."""
    found = page(client, campaign)
    while found["next"] is not None:
        found = page(client, campaign, revision=found["revision"], after=found["next"])


def export(client: httpx.Client, campaign: str, what: str) -> None:
    """A file, read as it comes and dropped."""
    with client.stream("GET", f"/v1/campaigns/{campaign}/exports/{what}", timeout=3600) as answer:
        answer.raise_for_status()
        for _ in answer.iter_raw():
            pass


def read_for_decision(url: str, campaign: str, told: "Queue[tuple[float, float, float]]") -> None:
    """What a worker reads before it thinks, in a process of its own; tells seconds and MB."""
    from service.store import datasets  # noqa: PLC0415 - the child's own memory is what is measured

    process = psutil.Process()
    engine = make_engine(url)

    def work() -> None:
        with make_sessions(engine)() as session:
            head = datasets.head(session, campaign)
            rows = datasets.snapshot(session, campaign, head.revision)
            datasets.to_dataset(head.problem, rows)
            datasets.hash_of(rows)

    told.put(timed(process, work))
    engine.dispose()


def in_a_child(url: str, campaign: str) -> tuple[float, float, float]:
    """`read_for_decision` in a fresh process."""
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    child = context.Process(target=read_for_decision, args=(url, campaign, told))
    child.start()
    found: tuple[float, float, float] = told.get(timeout=900)
    child.join()
    return found


def measure(url: str, readings: int) -> list[Row]:
    """One campaign of a size."""
    with served(url) as (client, process):
        campaign, film_ids = new_campaign(client, url)
        steps = {
            "ingest": lambda: ingest(client, campaign, film_ids, readings),
            "snapshot hash, first asked for": lambda: page(client, campaign, limit=1),
            "one page of 10,000": lambda: page(client, campaign),
            "whole dataset, in pages": lambda: all_pages(client, campaign),
            "export as CSV": lambda: export(client, campaign, "dataset?format=csv"),
            "export as Parquet": lambda: export(client, campaign, "dataset?format=parquet"),
            "export of the whole campaign": lambda: export(client, campaign, "archive"),
        }
        found = {name: timed(process, work) for name, work in steps.items()}
        found["read for a decision"] = in_a_child(url, campaign)
    return [
        {"readings": readings, "step": name, "seconds": round(wall, 2), "cpu_s": round(cpu, 2), "peak_mb": round(mb)}
        for name, (wall, cpu, mb) in found.items()
    ]


def main() -> None:
    """Print the table and store it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--readings", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    args = parser.parse_args()
    print(heading("a campaign's record by its size"))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="filmloop-") as folder, start_postgres(Path(folder)) as server:
        upgrade(server.url)
        for readings in args.readings:
            of_size = measure(server.url, readings)
            rows += of_size
            print(markdown_table(of_size), flush=True)
    if args.write:
        write_study("record_size", provenance(), rows)


if __name__ == "__main__":
    main()
