"""What stop advice would have cost and saved: campaigns on a real wafer that go on whatever it says.

    python -m benchmarks.stop_advice --seeds 12 --films 16

Each seed is a campaign on the Fe-Ga-Pd wafer of the demo with its noise, film offsets, drift and dead devices. After
every film the model's expected gain and the true value at its recommended composition are noted; the rule is applied
afterwards, so one run serves any options. Finished seeds are kept as JSON lines and not repeated.
"""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.provenance import heading, markdown_table, provenance, write_study
from models.dataset import Dataset
from models.film import Film
from models.propose import propose
from models.stopping import Standing, Stopping, advise
from models.surrogates.base import ModelBundle
from models.train import train
from service.simulation.campaign import fe_ga_pd_problem
from service.simulation.lab import Lab
from service.simulation.wafer import Wafer

RESULTS = Path(__file__).parent / "results" / "stop_advice"
OPTIONS = {
    "default": Stopping(),
    "patience 1": Stopping(patience=1),
    "patience 5": Stopping(patience=5),
    "horizon 30": Stopping(horizon=30),
}


def campaign(seed: int, films: int) -> list[dict[str, Any]]:
    """One campaign: after each film what was expected of the next one, and the true value at the recommendation."""
    wafer = Wafer.load()
    problem, lab = fe_ga_pd_problem(wafer, seed=seed), Lab(wafer, seed=seed)
    made: list[tuple[Film, np.ndarray, np.ndarray]] = []
    bundle: ModelBundle | None = None
    noted = []
    for number in range(films + 1):
        dataset = readings(made, problem.space.dimension)
        if number >= problem.initial_films:
            bundle = train(problem, dataset, seed=seed, previous=bundle)
        (choice,) = propose(problem, bundle, dataset, pending=[], count=1, seed=seed)
        if bundle is not None:
            best = bundle.posterior_map(problem, max_points=100)
            noted.append(
                {
                    "films": number,
                    "policy": choice.policy,
                    "expected_gain": choice.gain,
                    "noise_sd": bundle.metrics["objectives"][0]["noise_sd"],
                    "best_sd": best.best_sd,
                    "true_recommended": float(wafer.truth(np.array([best.best_composition]))[0]),
                }
            )
        as_made = lab.make(number + 1, choice.film.compositions())
        made.append((choice.film, as_made, lab.read(number + 1, as_made)))
    return noted


def readings(made: Sequence[tuple[Film, np.ndarray, np.ndarray]], columns: int) -> Dataset:
    """Everything that was read; a dead device is a row without a value."""
    if not made:
        return Dataset.empty(columns)
    Y = np.concatenate([values for _, _, values in made])[:, None]
    devices = [len(values) for _, _, values in made]
    return Dataset(
        X=np.vstack([x for _, x, _ in made]),
        Y=Y,
        Yvar=np.full_like(Y, np.nan),
        films=np.repeat([f"film-{k:03d}" for k in range(len(made))], devices),
        times=np.repeat(3600.0 * np.arange(len(made)), devices),
        dead=np.isnan(Y[:, 0]),
    )


def verdict(run: Mapping[str, Any], options: Stopping, word: str) -> int | None:
    """Position of the first decision at which the advice was at least `word`; None if it never was."""
    order = ["go on", "consider stopping", "stop"]
    history = [
        Standing(*(s[k] for k in ("films", "policy", "expected_gain", "noise_sd", "best_sd"))) for s in run["noted"]
    ]
    for end in range(1, len(history) + 1):
        if order.index(advise(history[:end], options, unit="V").advice) >= order.index(word):
            return end - 1
    return None


def row(name: str, options: Stopping, word: str, runs: Sequence[Mapping[str, Any]], best: float) -> dict[str, object]:
    """How often, when, and at what loss the advice was given."""
    ends = [verdict(run, options, word) for run in runs]
    given = [(run["noted"], end) for run, end in zip(runs, ends, strict=True) if end is not None]
    regret = [best - noted[end]["true_recommended"] for noted, end in given]
    later = [noted[-1]["true_recommended"] - noted[end]["true_recommended"] for noted, end in given]
    return {
        "options": name,
        "advice": word,
        "given in": f"{len(given)} of {len(runs)}",
        "median film": float(np.median([noted[end]["films"] for noted, end in given])) if given else float("nan"),
        "regret then / V": float(np.mean(regret)) if given else float("nan"),
        "largest / V": float(np.max(regret)) if given else float("nan"),
        "gained by going on / V": float(np.mean(later)) if given else float("nan"),
    }


def main() -> None:
    """Run what is missing, then print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=12, help="seeds 1 … N")
    parser.add_argument("--films", type=int, default=16)
    options = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    lines, commit = RESULTS / "stop_advice.jsonl", provenance()["commit"]
    runs = (
        {(r["seed"], r["films"]): r for r in map(json.loads, lines.read_text().splitlines())} if lines.exists() else {}
    )
    for seed in range(1, options.seeds + 1):
        if (seed, options.films) not in runs:
            run = {"seed": seed, "films": options.films, "commit": commit, "noted": campaign(seed, options.films)}
            runs[seed, options.films] = run
            with lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps(run) + "\n")
            print(f"seed {seed} done", flush=True)
    wanted = [runs[seed, options.films] for seed in range(1, options.seeds + 1)]
    best = Wafer.load().best_value
    table = [row(n, o, w, wanted, best) for n, o in OPTIONS.items() for w in ("consider stopping", "stop")]
    commits = ", ".join(sorted({str(r["commit"]) for r in wanted}))
    facts = {
        **provenance(),
        "runs_at_commit": commits,
        "films": options.films,
        "reading_noise_V": Lab(Wafer.load()).noise_v,
    }
    print(heading("stop advice on the Fe-Ga-Pd wafer"))
    print(markdown_table(table))
    write_study("stop_advice", facts, table)


if __name__ == "__main__":
    main()
