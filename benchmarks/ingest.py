"""Rows per second through HTTP as JSON, against a bare COPY of the same rows committed per batch, side by side.

Run: `python -m benchmarks.ingest --rows 50 1000 --seconds 20`

A durable embedded Postgres and the API as a process of its own; one client, one batch after the other, each way in
turn, so that both see the same machine. COPY writes what the API writes into the same table: compared is all that
the API does besides (parse, check, hash, number, events, decision, idempotency, HTTP).
"""

import argparse
import http.client
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

import numpy as np
import orjson
import psycopg

from benchmarks.keys import HEADERS
from benchmarks.provenance import heading, markdown_table, provenance, write_study
from benchmarks.record_size import DEVICES, new_campaign, served
from service.embedded import start_postgres
from service.store.ids import new_id, new_ids
from service.store.schema import upgrade

Row = dict[str, object]
COLUMNS = (
    "id, campaign_id, batch_id, instrument_id, film_id, device, uid, property, unit, value, status, std_uncertainty, "
    "measured_at, revision, row_hash"
)
BEGUN = datetime(2026, 3, 1, tzinfo=UTC)


def readings(film_ids: list[str], first: int, rows: int) -> list[Row]:
    """Readings number `first` and following, as an instrument says them."""
    values = np.random.default_rng(first).normal(400.0, 1.0, rows).tolist()
    return [
        {
            "uid": f"squid-1/{n:08d}",
            "film_id": film_ids[n // DEVICES % len(film_ids)],
            "device": n % DEVICES,
            "property": "magnetisation",
            "unit": "kA/m",
            "value": values[n - first],
            "std_uncertainty": 0.5,
            "measured_at": (BEGUN + timedelta(seconds=n)).isoformat(),
        }
        for n in range(first, first + rows)
    ]


def post(connection: http.client.HTTPConnection, campaign: str, rows: list[Row]) -> float:
    """Seconds of one batch through HTTP, its writing as JSON included."""
    began = time.perf_counter()
    headers = {"Idempotency-Key": os.urandom(8).hex(), "Content-Type": "application/json", **HEADERS}
    body = orjson.dumps({"instrument": "squid-1", "measurements": rows})
    connection.request("POST", f"/v1/campaigns/{campaign}/measurement-batches", body, headers)
    response = connection.getresponse()
    said = response.read()
    if response.status != HTTPStatus.CREATED:
        raise RuntimeError(said.decode())
    return time.perf_counter() - began


def copy(connection: psycopg.Connection[tuple[object, ...]], shared: tuple[str, ...], rows: list[Row]) -> float:
    """Seconds of one batch by COPY and commit."""
    said = ("film_id", "device", "uid", "property", "unit", "value")
    ready = [
        (drawn, *shared, *(r[k] for k in said), "ok", 0.5, r["measured_at"], 1, sha256(drawn.encode()).hexdigest())
        for drawn, r in zip(new_ids("msr", len(rows)), rows, strict=True)
    ]
    began = time.perf_counter()
    with connection.cursor() as cursor, cursor.copy(f"COPY measurement ({COLUMNS}) FROM STDIN") as stream:
        for row in ready:
            stream.write_row(row)
    connection.commit()
    return time.perf_counter() - began


def bare(connection: psycopg.Connection[tuple[object, ...]], campaign: str) -> tuple[str, str, str]:
    """A batch and an instrument for the copied rows to belong to."""
    batch, instrument = new_id("bat"), new_id("ins")
    said = "insert into instrument (id, campaign_id, name) values (%s, %s, 'bare')"
    connection.execute(said, [instrument, campaign])
    connection.execute("insert into measurement_batch values (%s, %s, %s, 1, 0, 0)", [batch, campaign, instrument])
    connection.commit()
    return campaign, batch, instrument


def measure(url: str, size: int, seconds: float) -> Row:
    """Both ways in turn for a while, with batches of a size."""
    through, direct, first = [], [], 0
    with served(url) as (client, process), psycopg.connect(url.replace("+psycopg", "")) as connection:
        instrument = http.client.HTTPConnection(client.base_url.host, client.base_url.port)
        campaign, film_ids = new_campaign(client, url)
        other, _ = new_campaign(client, url)
        shared = bare(connection, other)
        for _ in range(10):  # not counted: connections, prepared statements, caches
            post(instrument, campaign, readings(film_ids, first, size))
            first += size
        cpu, ends = sum(process.cpu_times()[:2]), time.perf_counter() + seconds
        while time.perf_counter() < ends:
            rows = readings(film_ids, first, size)
            through.append(post(instrument, campaign, rows))
            direct.append(copy(connection, shared, rows))
            first += size
        cpu = sum(process.cpu_times()[:2]) - cpu
    rate, bare_rate = (size / statistics.median(taken) for taken in (through, direct))
    return {
        "rows a batch": size,
        "batches": len(through),
        "http rows/s": round(rate),
        "copy rows/s": round(bare_rate),
        "share": round(rate / bare_rate, 3),
        "api cpu us/row": round(1e6 * cpu / (size * len(through)), 1),
    }


def main() -> None:
    """Print the table and store it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, nargs="+", default=[50, 1000])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    args = parser.parse_args()
    print(heading("measurements through HTTP against a bare COPY, medians"))
    with tempfile.TemporaryDirectory(prefix="filmloop-") as folder, start_postgres(Path(folder)) as server:
        upgrade(server.url)
        rows = [measure(server.url, size, args.seconds) for size in args.rows]
    print(markdown_table(rows))
    if args.write:
        write_study("ingest", provenance(), rows)


if __name__ == "__main__":
    main()
