"""How fast pages answer at 10^5 readings of a campaign, and how soon one shows a measurement.

Run: `python -m benchmarks.page_time --readings 100000 --write`

A durable embedded Postgres and the API as a process of its own, as in `record_size`. Wall time of each page as the
server takes it, from the request to the last byte; the median and the largest of several calls, of which the first is
counted, too. The bound is 200 ms.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np

from benchmarks.provenance import heading, markdown_table, provenance, write_study
from benchmarks.record_size import ROWS, batch, new_campaign, served
from service.embedded import start_postgres
from service.store.schema import upgrade

BOUND_MS = 200.0
PAGE = {"Accept": "text/html"}
KIND = {"Content-Type": "application/vnd.apache.parquet"}


def fill(client: httpx.Client, campaign: str, film_ids: list[str], readings: int) -> None:
    """Hand in so many readings."""
    for first in range(0, readings, ROWS):
        rows = min(ROWS, readings - first)
        answer = client.post(
            f"/v1/campaigns/{campaign}/measurement-batches",
            params={"instrument": "squid-1"},
            content=batch(film_ids, first, rows),
            headers=KIND | {"Idempotency-Key": f"fill-{first}"},
        )
        answer.raise_for_status()


def pages(campaign: str, film: str) -> dict[str, str]:
    """Addresses of the pages, by what they are called in the table."""
    here = f"/campaigns/{campaign}"
    return {
        "campaigns": "/",
        "campaign": here,
        "its live parts": f"{here}/parts",
        "data": f"{here}/data",
        "films": f"{here}/films",
        "data of one film": f"{here}/data?film={film}",
        "data retracted": f"{here}/data?counts=no",
        "configuration": f"{here}/configuration",
        "composition space": f"{here}/space",
        "its triangle": f"{here}/space/triangle",
        "model": f"{here}/model",
        "trade-offs": f"{here}/pareto",
        "film": f"/films/{film}",
        "new campaign": "/new",
        "keys": "/keys",
        "audit": "/audit",
        "API": "/docs",
    }


def timed(client: httpx.Client, campaign: str, film: str, calls: int) -> Iterator[dict[str, object]]:
    """A row for each page."""
    for name, address in pages(campaign, film).items():
        took, size = [], 0
        for _ in range(calls):
            begun = time.perf_counter()
            answer = client.get(address, headers=PAGE)
            took.append(1e3 * (time.perf_counter() - begun))
            answer.raise_for_status()
            size = len(answer.content)
        worst = max(took)
        within = "yes" if worst < BOUND_MS else "no"
        median = round(float(np.median(took)), 1)
        yield {"page": name, "median ms": median, "largest ms": round(worst, 1), "kB": size // 1000, "within": within}


def main() -> int:
    """Measure, print, and keep the table if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="keep it under benchmarks/results")
    options = parser.parse_args()
    print(heading("page time"))
    with (
        tempfile.TemporaryDirectory(prefix="filmloop-pages-") as folder,
        start_postgres(Path(folder), durable=True) as postgres,
    ):
        upgrade(postgres.url)
        with served(postgres.url) as (client, _):
            campaign, film_ids = new_campaign(client, postgres.url)
            fill(client, campaign, film_ids, options.readings)
            rows = list(timed(client, campaign, film_ids[-1], options.calls))
    print(markdown_table(rows))
    if options.write:
        facts = provenance() | {"readings": options.readings, "calls": options.calls, "bound_ms": BOUND_MS}
        write_study("page_time", facts, rows)
    return 0 if all(row["within"] == "yes" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
