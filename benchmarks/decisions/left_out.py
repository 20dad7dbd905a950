"""How well a model predicts a film that it has never seen: each is left out in turn, and all is fitted without it.

    python -m benchmarks.decisions.left_out --seeds 10 --offset 0 0.6

`calibration` leaves films out of the readings and keeps what was fitted with them, as every model version does: a model
that bends to each film looks better there than it is. This is dearer, one fit per film, and owes the film nothing.

Filmloop's model, with and without film effect, and BoTorch's default `SingleTaskGP` see the same readings: those of the
films that Filmloop chose in the campaigns of T1, T2 and T3, as in `calibration`.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.decisions.arms import default_gp_version, science_version
from benchmarks.decisions.baselines import fitted
from benchmarks.decisions.calibration import GROUPS, last_campaigns, load, means, parser, replayed, write
from benchmarks.decisions.figures import CALIBRATION, in_words, paired
from benchmarks.decisions.records import Record, Records
from models.catalog import FilmGP
from models.dataset import Dataset
from models.problem import Problem
from models.surrogates.diagnostics import calibration
from models.surrogates.predictor import Predictor
from models.tensors import to_array, to_tensor
from models.train import train

Array = NDArray[np.float64]
Predict = Callable[[Problem, Dataset, Array, int], tuple[Array, Array]]
"""From problem, readings, points and seed to mean and standard deviation of a reading at each point."""

OURS, OTHERS = "film_gp", ("film_gp without film effect", "botorch")
FIGURES = (*CALIBRATION, "rmse")


def _film_gp(problem: Problem, readings: Dataset, points: Array, seed: int) -> tuple[Array, Array]:
    """As a researcher is told it: the noise of a reading and the film's own offset are in the deviation."""
    bundle = train(problem, readings, seed=seed)
    told = Predictor.from_arrays(bundle.surrogate.arrays(), problem.objectives).predict(points)
    sd: Array = np.sqrt(told.latent_sd**2 + told.noise_sd**2 + told.film_effect_sd**2)
    return told.mean[:, 0], sd[:, 0]


def _without_film_effect(problem: Problem, readings: Dataset, points: Array, seed: int) -> tuple[Array, Array]:
    return _film_gp(problem.model_copy(update={"surrogate": FilmGP(film_effect=False)}), readings, points, seed)


def _botorch(problem: Problem, readings: Dataset, points: Array, seed: int) -> tuple[Array, Array]:
    model, _ = fitted(problem, readings, seed)
    with torch.no_grad():
        told = model.posterior(to_tensor(points), observation_noise=True)
    mean: Array = problem.objectives[0].sign() * to_array(told.mean[:, 0])
    return mean, np.sqrt(to_array(told.variance[:, 0]))


MODELS: Mapping[str, Predict] = dict(zip((OURS, *OTHERS), (_film_gp, _without_film_effect, _botorch), strict=True))


def left_out(predict: Predict, problem: Problem, readings: Dataset, seed: int) -> tuple[Array, Array, Array]:
    """Every reading, with its mean and standard deviation by a model that was fitted without its film: `n` each."""
    found = []
    for film in np.unique(readings.films):
        own = readings.films == film
        read = own & ~np.isnan(readings.Y[:, 0])
        if read.any():
            found.append((readings.Y[read, 0], *predict(problem, readings.take(~own), readings.X[read], seed)))
    y, mean, sd = (np.concatenate(part) for part in zip(*found, strict=True))
    return y, mean, sd


def figures(predict: Predict, record: Record, offset: float) -> dict[str, float]:
    """Coverage, mean log density and root mean squared error of one campaign's films, in units of the property's sd."""
    task = load(record["task"])
    y, mean, sd = left_out(predict, task.problem, replayed(task, record, offset), record["seed"])
    unit = float(task.sd[0])
    return calibration(y / unit, mean / unit, sd / unit) | {"rmse": float(np.sqrt(np.mean((y - mean) ** 2))) / unit}


def run_missing(records: Records, campaigns: Sequence[Record], offset: float) -> None:
    """Add what is not there yet, one line per campaign and model."""
    there = {_key(line) for line in records.all()}
    versions = dict.fromkeys(MODELS, science_version()) | {"botorch": default_gp_version()}
    for campaign in campaigns:
        where = {"task": campaign["task"], "seed": campaign["seed"], "offset": offset, "films": campaign["version"]}
        for model, predict in MODELS.items():
            line = {**where, "model": model, "version": versions[model]}
            if _key(line) not in there:
                records.add(line | figures(predict, campaign, offset))


def _key(line: Record) -> tuple[object, ...]:
    return tuple(line[name] for name in ("task", "seed", "offset", "films", "model", "version"))


def main() -> None:
    """Run what is missing, then print and write one row per group of tasks, offset and model."""
    words = parser(__doc__, offset=[0.0, 0.6], seeds=10)
    words.add_argument("--run-only", action="store_true", help="write no table")
    words.add_argument("--table-only", action="store_true", help="run nothing")
    options = words.parse_args()
    records = Records(options.results / "raw" / "left_out.jsonl")
    groups = options.tasks or GROUPS
    for group in [] if options.table_only else groups:
        for offset in options.offset:
            run_missing(records, last_campaigns(options.results, group, offset, options.seeds), offset)
    if not options.run_only:
        tables = list(_tables(records.all(), groups, options.offset, options.seeds))
        rows, said = [row for table, _ in tables for row in table], [line for _, lines in tables for line in lines]
        write(options.results, "left_out", "Films left out of the fit as well, in Filmloop's own campaigns", rows, said)


def _tables(
    lines: Sequence[Record], groups: Sequence[Sequence[str]], offsets: Sequence[float], seeds: int
) -> Iterator[tuple[list[dict[str, object]], list[str]]]:
    """Rows and sentences of each group of tasks and offset; of each model its last version."""
    for group in groups:
        for offset in offsets:
            own = [m for m in lines if m["task"] in group and m["offset"] == offset and m["seed"] < seeds]
            found = {model: _by_campaign(own, model) for model in MODELS}
            if not all(found.values()):
                continue
            words = {"tasks": ", ".join(group), "offset": offset, "campaigns": len(found[OURS])}
            rows = [{**words, "model": model, **means(_figures_of(by), FIGURES)} for model, by in found.items()]
            said = f"- {words['tasks']}, offset {offset:g}, log density of {OURS} minus that of "
            yield rows, [said + f"{other}: {_compared(found[OURS], found[other])}" for other in OTHERS]


def _by_campaign(lines: Sequence[Record], model: str) -> dict[tuple[str, int], Record]:
    own = [line for line in lines if line["model"] == model]
    return {
        (m["task"], m["seed"]): m for m in own if (m["version"], m["films"]) == (own[-1]["version"], own[-1]["films"])
    }


def _figures_of(campaigns: Mapping[tuple[str, int], Record]) -> Array:
    return np.array([[line[name] for name in FIGURES] for line in campaigns.values()])


def _compared(ours: Mapping[tuple[str, int], Record], other: Mapping[tuple[str, int], Record]) -> str:
    both = sorted(ours.keys() & other.keys())
    one, two = (np.array([found[pair]["log_density"] for pair in both]) for found in (ours, other))
    return in_words(paired(one, two))


if __name__ == "__main__":
    main()
