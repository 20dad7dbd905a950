"""What training a generator costs the decisions of the same machine.

Run: `python -m benchmarks.generators.delay --seeds 3 --write`

A whole Filmloop runs, one robot makes films on the Fe-Ga-Pd wafer without a pause, one instrument reads them. Arms
differ in the campaign only: `none` has no generator; `training` has one that is trained on each decision's data and
asked by no search; `merged` has one whose draws are starts as well. Trainings are long on purpose (`--steps`), so that
nearly every decision meets one. Deciding and training worker share the processors; the latter has
the lower priority (`nice` 15 against 10).

Figures: seconds from the last reading of a film to the next proposal, over all films that the model chose; how many of
those decisions met a training that waited or ran; how many trainings there were, and the median seconds of one.
"""

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from benchmarks.provenance import heading, markdown_table, provenance
from filmloop_client import Client
from models.catalog import ConditionalVAE
from models.problem import Problem
from service.settings import Settings
from service.simulation.campaign import fe_ga_pd_problem
from service.simulation.lab import Lab
from service.simulation.players import PATIENCE_S, Order, play
from service.simulation.progress import Progress
from service.simulation.wafer import Wafer
from service.supervisor import running

RESULTS = Path(__file__).parents[1] / "results" / "generators"
ARMS = ("none", "training", "merged")
OVERLAP = """
select count(*) from job d where d.kind = 'decide' and d.state = 'succeeded' and d.campaign_id = :campaign and exists (
  select 1 from job t where t.kind = 'train' and t.campaign_id = d.campaign_id
  and t.created_at < d.updated_at and t.updated_at > d.created_at)
"""
TRAINED = """
select metrics->>'seconds' from model_version where kind = 'generator' and campaign_id = :campaign
"""


def problem_of(arm: str, wafer: Wafer, seed: int, steps: int) -> Problem:
    """The campaign of an arm."""
    generator = None if arm == "none" else ConditionalVAE(steps=steps, width=64, latent=4, batch=64)
    problem = fe_ga_pd_problem(wafer, seed=seed, generator=generator)
    starts = "merged" if arm == "merged" else "systematic"
    return problem.model_copy(update={"policy": problem.policy.model_copy(update={"starts": starts})})


def campaign(
    url: str, key: str | None, database: str, arm: str, *, seed: int, films: int, steps: int
) -> dict[str, Any]:
    """Play one campaign."""
    lab = Lab(Wafer.load(), seed=seed, deposition_s=0.0)
    progress = Progress(lab.wafer)
    with Client(url, key=key, patience=PATIENCE_S) as client:
        made = client.campaigns.create(f"delay, {arm}, {seed}", problem_of(arm, lab.wafer, seed, steps))
        made.activate()
        play(Order(url, made.id, films, lab, key=key), progress, lambda _line: None)
        made.act("complete")
    engine = create_engine(database, poolclass=NullPool)
    with engine.connect() as connection:
        overlap = connection.execute(text(OVERLAP), {"campaign": made.id}).scalar_one()
        trained = [float(row[0]) for row in connection.execute(text(TRAINED), {"campaign": made.id})]
    waits = [film.decision_s for film in progress.films[2:]]
    return {"arm": arm, "seed": seed, "waits": waits, "met": int(overlap), "training_seconds": trained}


def row(arm: str, runs: list[dict[str, Any]]) -> dict[str, object]:
    """Figures of one arm over its campaigns."""
    waits = sorted(w for run in runs for w in run["waits"])
    trained = [s for run in runs for s in run["training_seconds"]]
    return {
        "arm": arm,
        "films": len(waits),
        "median s": f"{statistics.median(waits):.2f}",
        "p90 s": f"{waits[int(0.9 * (len(waits) - 1))]:.2f}",
        "largest s": f"{waits[-1]:.2f}",
        "decisions beside a training": sum(run["met"] for run in runs),
        "trainings": len(trained),
        "median training s": f"{statistics.median(trained):.1f}" if trained else "-",
    }


def main() -> None:
    """Print one line per campaign and the table, and store it if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--films", type=int, default=10)
    parser.add_argument("--steps", type=int, default=3000, help="of each training")
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results/generators")
    options = parser.parse_args()
    facts = provenance() | {"films": options.films, "steps": options.steps}
    print(heading("decisions beside trainings"))
    runs: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory(prefix="filmloop-delay-") as folder,
        running(Settings(data_dir=Path(folder))) as up,
    ):
        database = json.loads((Path(folder) / "run.json").read_text())["database"]
        for seed in range(1, options.seeds + 1):
            for arm in ARMS:
                told = {"seed": seed, "films": options.films, "steps": options.steps}
                runs.append(campaign(up.url, up.key, database, arm, **told))
                print(json.dumps(runs[-1]), flush=True)
    rows = [row(arm, [run for run in runs if run["arm"] == arm]) for arm in ARMS]
    print(markdown_table(rows))
    if options.write:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / "delay.json").write_text(json.dumps({**facts, "rows": rows, "campaigns": runs}, indent=1) + "\n")
        where = "\n".join(f"- {key}: {value}" for key, value in facts.items())
        explained = (__doc__ or "").split("\n\n", 2)[2]
        page = f"# Decisions beside trainings\n\n{where}\n\n{explained}\n{markdown_table(rows)}\n"
        (RESULTS / "delay.md").write_text(page)


if __name__ == "__main__":
    main()
