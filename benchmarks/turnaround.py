"""From the last measurement of a film to the next proposal ready, through the whole service, at growing n.

Run: `python -m benchmarks.turnaround --sizes 65 260 1040`

The whole stack runs as `filmloop up` starts it. For each size a campaign of the demo is filled through HTTP with films
of 13 devices; then the clock runs from the acknowledged batch of a film until `GET …/proposals/next` gives a film that
was decided on it. That is message, job, reading D_t, fit, search, publication; wall seconds on this machine. One
n x n Cholesky factorisation and one posterior of K points from it are timed in the same run, in CPU seconds.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.decision_time import linear_algebra
from benchmarks.latency import fill, measured_film
from benchmarks.provenance import heading, markdown_table, provenance, write_study
from filmloop_client import Campaign, Client
from service.settings import Settings
from service.simulation.campaign import fe_ga_pd_problem
from service.simulation.wafer import Wafer
from service.supervisor import running

DEVICES = 13
LOOK_S = 0.01


def one_film(campaign: Campaign, wafer: Wafer, rng: np.random.Generator) -> float:
    """Make and measure one film; wall seconds from its acknowledged batch to a proposal that knows it."""
    measured_film(campaign, wafer, rng)
    began = time.perf_counter()
    while (proposal := campaign.next_proposal()) is None or proposal.stale:
        time.sleep(LOOK_S)
    return time.perf_counter() - began


def row(client: Client, n: int, repeats: int) -> dict[str, float]:
    """Figures of one size: the first of `repeats` films brings the campaign to n readings."""
    wafer, rng = Wafer.load(), np.random.default_rng(n)
    films = n // DEVICES
    problem = fe_ga_pd_problem(wafer).model_dump(mode="json") | {"initial_films": max(1, films - 1)}
    campaign = client.campaigns.create(f"turnaround at {n}", problem)
    campaign.activate()
    fill(campaign, n - DEVICES, wafer, rng)
    seconds = [one_film(campaign, wafer, rng) for _ in range(repeats)]
    campaign.act("complete")
    factor, posterior = linear_algebra(n, DEVICES, 20)
    return {
        "n": n,
        "first_s": seconds[0],
        "median_s": statistics.median(seconds),
        "cholesky_s": factor,
        "posterior_s": posterior,
    }


def main() -> None:
    """Print the table and store it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[65, 260, 1040])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    args = parser.parse_args()
    facts = provenance()
    print(heading("from a film's last measurement to the next proposal ready, K = 13"))
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Settings(data_dir=Path(folder))) as stack,
        Client(stack.url, key=stack.key) as client,
    ):
        rows = [row(client, n, args.repeats) for n in args.sizes]
    print(markdown_table(rows))
    if args.write:
        write_study("turnaround", {**facts, "films_per_size": args.repeats}, rows)


if __name__ == "__main__":
    main()
