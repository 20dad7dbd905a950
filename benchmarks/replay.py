"""Compute the proposals of a finished demo campaign again, each from what was kept of it.

    python -m benchmarks.replay --films 40 --proposals 50

One Filmloop is started, one campaign of the demo is run to its end through HTTP, then so many of its proposals are
replayed by its worker, the newest first: those rest on most data. The table says how many came out identical, within
tolerance or otherwise, and how long a replay took.
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.provenance import heading, markdown_table, provenance, write_study
from filmloop_client import Client
from service.settings import Settings
from service.simulation.demo import explore
from service.simulation.lab import Lab
from service.simulation.wafer import Wafer
from service.supervisor import Running, running


def main() -> None:
    """Run, replay, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=40)
    parser.add_argument("--proposals", type=int, default=50, help="most that are replayed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--policy", default="expected_improvement")
    options = parser.parse_args()
    print(heading("Proposals computed again"), flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="filmloop-") as directory,
        running(Settings(data_dir=Path(directory))) as filmloop,
    ):
        lab = Lab(Wafer.load(), seed=options.seed, deposition_s=0.0)
        how = {"films": options.films, "devices": 13, "policy": options.policy}
        outcome = explore(filmloop.url, lab, **how, say=lambda _: None, key=filmloop.key)
        rows = replay(filmloop, outcome.campaign_id, options.proposals)
    table = summary(rows)
    print(markdown_table(table))
    facts = {
        **provenance(),
        "films": options.films,
        "policy": options.policy,
        "seed": options.seed,
        "not identical": [row for row in rows if row["verdict"] != "identical"],
    }
    write_study("replay", facts, table)


def replay(filmloop: Running, campaign_id: str, most: int) -> list[dict[str, object]]:
    """Replay the newest `most` proposals of a campaign, one after the other."""
    rows: list[dict[str, object]] = []
    with Client(filmloop.url, key=filmloop.key, patience=600.0) as client:
        campaign = client.campaigns.get(campaign_id)
        for proposal in list(campaign.proposals())[-most:]:
            began = time.monotonic()
            found = campaign.history.replay(proposal.id, wait_s=600.0)
            row = {
                "proposal": proposal.id,
                "source": proposal.source,
                "revision": proposal.provenance["revision"],
                "verdict": found.verdict,
                "differences": (found.report or {}).get("differences", [])[:3],
                "seconds": round(time.monotonic() - began, 2),
            }
            print({k: v for k, v in row.items() if v}, flush=True)
            rows.append(row)
    return rows


def summary(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """One line per kind of proposal."""
    lines: list[dict[str, object]] = []
    for source in sorted({str(row["source"]) for row in rows}):
        of_kind = [row for row in rows if row["source"] == source]
        verdicts = Counter(row["verdict"] for row in of_kind)
        lines.append(
            {
                "proposals": source,
                "replayed": len(of_kind),
                "identical": verdicts["identical"],
                "within tolerance": verdicts["within_tolerance"],
                "different": verdicts["differs"],
                "median s": float(np.median([float(str(row["seconds"])) for row in of_kind])),
            }
        )
    return lines


if __name__ == "__main__":
    main()
