"""How surely and how fast the demo finds the wafer's best: many seeds, several policies, the whole real path.

    python -m benchmarks.demo_seeds --seeds 20 --policies expected_improvement random

One Filmloop is started; each seed and policy is one campaign through HTTP, with the demo's own noise and a deposition
time of 0. The lab of a seed is the same for every policy, so differences are paired. Finished runs are kept as JSON
lines and not repeated at the same commit; the table shows the last run of each seed and policy.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from benchmarks.provenance import heading, provenance
from service.settings import Settings
from service.simulation.demo import explore
from service.simulation.lab import Lab
from service.simulation.progress import GOAL
from service.simulation.wafer import Wafer
from service.supervisor import running

RESULTS = Path(__file__).parent / "results" / "demo"
BASELINE = "random"

Run = Mapping[str, Any]


def main() -> None:
    """Run what is missing, then print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="seeds 1 … N")
    parser.add_argument("--policies", nargs="+", default=["expected_improvement", "random"])
    parser.add_argument("--films", type=int, default=12)
    parser.add_argument("--devices", type=int, default=13)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    lines = options.results / "demo_seeds.jsonl"
    wanted = [(policy, seed) for seed in range(1, options.seeds + 1) for policy in options.policies]
    run_missing(lines, wanted, films=options.films, devices=options.devices)
    last = {(r["policy"], r["seed"]): r for r in read(lines) if _size(r) == (options.films, options.devices)}
    runs = [last[pair] for pair in wanted]
    page = report(runs, options.policies, films=options.films, devices=options.devices)
    print(page)
    (options.results / "demo_seeds.md").write_text(page + "\n", encoding="utf-8")
    document = {"provenance": provenance(), "films": options.films, "devices": options.devices, "runs": runs}
    (options.results / "demo_seeds.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def run_missing(lines: Path, wanted: Sequence[tuple[str, int]], *, films: int, devices: int) -> None:
    """Run each policy and seed that the file does not have at this commit, and append it as soon as it is done."""
    commit = provenance()["commit"]
    done = {(r["policy"], r["seed"]) for r in read(lines) if _size(r) == (films, devices) and r["commit"] == commit}
    missing = [pair for pair in wanted if pair not in done]
    if not missing:
        return
    wafer = Wafer.load()
    with (
        tempfile.TemporaryDirectory(prefix="filmloop-") as directory,
        running(Settings(data_dir=Path(directory))) as filmloop,
    ):
        for policy, seed in missing:
            lab = Lab(wafer, seed=seed, deposition_s=0.0)
            how = {"films": films, "devices": devices, "policy": policy}
            outcome = explore(filmloop.url, lab, **how, say=lambda _: None, key=filmloop.key)
            figures = {**outcome.figures(), "devices": devices, "commit": commit}
            with lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps(figures) + "\n")
            reached = figures["films_to_95"] or "-"
            print(
                f"{policy:22} seed {seed:3d}  {figures['fraction_of_best']:7.2%}  films to 95 %: {reached}", flush=True
            )


def read(lines: Path) -> list[Run]:
    """Every finished run."""
    return [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()] if lines.exists() else []


def _size(run: Run) -> tuple[int, int]:
    return int(run["films"]), int(run["devices"])


def report(runs: Sequence[Run], policies: Sequence[str], *, films: int, devices: int) -> str:
    """The page with the figures: one row per policy, then the paired differences to random films."""
    commits = ", ".join(sorted({str(r["commit"]) for r in runs}))
    head = [
        heading("Finding the best of a real wafer").strip(),
        f"runs at commit: {commits}",
        f"{films} films of {devices} devices; true values, as share of the wafer's best",
        "",
        f"| policy | seeds | within 5 % in {films} films | median films to 95 % | best found, mean ± s.e. |"
        " recommended, mean | median s per decision |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    by_policy = {policy: {r["seed"]: r for r in runs if r["policy"] == policy} for policy in policies}
    rows = [_row(policy, list(of_seed.values()), films) for policy, of_seed in by_policy.items() if of_seed]
    pairs = [
        _paired(policy, of_seed, by_policy[BASELINE])
        for policy, of_seed in by_policy.items()
        if policy != BASELINE and by_policy.get(BASELINE)
    ]
    return "\n".join([*head, *rows, "", *pairs])


def _row(policy: str, runs: Sequence[Run], films: int) -> str:
    found = np.array([r["fraction_of_best"] for r in runs])
    needed = np.array([r["films_to_95"] or np.inf for r in runs])
    recommended = [r["recommended_fraction"] for r in runs if r["recommended_fraction"] is not None]
    seconds = np.median([s for r in runs for s in r["decision_seconds"][1:]])  # the first waits for the worker's start
    error = found.std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else np.nan
    median = np.median(needed)
    cells = [
        policy,
        str(len(runs)),
        f"{int((found >= GOAL).sum())} of {len(found)}",
        f"{median:g}" if np.isfinite(median) else f"more than {films}",
        f"{found.mean():.2%} ± {error:.2%}",
        f"{np.mean(recommended):.2%}" if recommended else "-",
        f"{seconds:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _paired(policy: str, of_seed: Mapping[int, Run], baseline: Mapping[int, Run]) -> str:
    """Difference to the baseline over the seeds that both have, for the end and for the mean over all films."""
    seeds = sorted(set(of_seed) & set(baseline))
    texts = []
    for words, value in (("after the last film", _final), ("mean over all films", _mean_over_films)):
        difference = np.array([value(of_seed[s]) - value(baseline[s]) for s in seeds])
        wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
        p = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
        error = difference.std(ddof=1) / np.sqrt(len(seeds)) if len(seeds) > 1 else np.nan
        gained = f"{difference.mean():+.2%} ± {error:.2%}"
        texts.append(f"{words}: {gained}, better in {wins}, worse in {losses} (sign test p = {p:.2g})")
    return f"{policy} minus {BASELINE}, {len(seeds)} paired seeds\n- " + "\n- ".join(texts)


def _final(run: Run) -> float:
    return float(run["fraction_of_best"])


def _mean_over_films(run: Run) -> float:
    curve = np.nan_to_num(np.array(run["best_true_by_film"], dtype=float))
    return float(curve.mean()) * float(run["fraction_of_best"]) / float(run["best_true"])


if __name__ == "__main__":
    main()
