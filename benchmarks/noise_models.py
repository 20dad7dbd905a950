"""Does noise that may vary predict readings better? Real data sets with repeats, compositions left out.

Run: `python -m benchmarks.noise_models --data FOLDER --write`

FOLDER holds `pvlab/P3HT_dataset.csv`, `pvlab/Perovskite_dataset.csv` (github PV-Lab/Benchmarking) and
`opv-quaternary/opv_quaternary.csv` (github aspuru-guzik-group/olympus, photo_pce10 and photo_wf3, stacked).
Compositions are dealt into ten groups by seed; each group is predicted from readings of the others, at most
`--readings` of them. The figures are for single readings: mean log density (in units of the property's standard
deviation), what it gains over noise that is the same everywhere with its standard error over compositions, coverage of
the 90 % interval, root mean square error and CPU seconds of a fit. One set of hyperparameters, film effect left out:
these are no films.
"""

import argparse
import csv
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from benchmarks.provenance import heading, markdown_table, provenance, write_study
from models.catalog import FilmGP, NoiseModel
from models.composition import SearchSpace
from models.dataset import Dataset
from models.objective import Objective
from models.problem import Problem
from models.surrogates.predictor import Predictor
from models.train import train

Array = NDArray[np.float64]

GROUPS = 10
MODELS = {
    "same everywhere": NoiseModel(heteroscedastic=False),
    "may vary": NoiseModel(heteroscedastic=True),
}


class Landscape(NamedTuple):
    """A property that was read at compositions, some of them again."""

    name: str
    x: Array
    """`n x d` fractions."""
    y: Array
    """`n` readings."""


def landscapes(folder: Path) -> Iterator[Landscape]:
    """All data sets in their own units, and those whose readings span decades in logarithms as well."""
    for name in ("P3HT", "Perovskite"):
        rows = _rows(folder / "pvlab" / f"{name}_dataset.csv")
        x, y = rows[:, :-1] / rows[:, :-1].sum(1, keepdims=True), rows[:, -1]
        yield Landscape(name, x, y)
        yield Landscape(f"log {name}", x, np.log10(y))
    path = folder / "opv-quaternary" / "opv_quaternary.csv"
    donors = [line.split(",", 1)[0] for line in path.read_text().splitlines()[1:]]
    rows = _rows(path, skipped=1)
    for donor in ("PCE10", "WF3"):
        own = rows[[d == donor for d in donors]]
        yield Landscape(f"OPV {donor}", own[:, :-1] / own[:, :-1].sum(1, keepdims=True), own[:, -1])


def _rows(path: Path, skipped: int = 0) -> Array:
    with path.open(encoding="utf-8-sig") as file:
        return np.array([[float(v) for v in line[skipped:]] for line in list(csv.reader(file))[1:]])


def compositions(x: Array) -> NDArray[np.intp]:
    """`n` numbers of the compositions."""
    return np.unique(np.round(x, 6), axis=0, return_inverse=True)[1].reshape(-1)


def groups_of(x: Array, seed: int) -> NDArray[np.intp]:
    """`n` group numbers; repeats of a composition share theirs."""
    number = compositions(x)
    return np.random.default_rng(seed).permutation(number.max() + 1)[number] % GROUPS


def held_out(land: Landscape, noise: NoiseModel, readings: int, seed: int) -> tuple[Array, Array, float]:
    """Mean and sd of every reading from those of other groups, and the CPU seconds of all fits."""
    problem = Problem(
        space=space_of(land),
        objectives=(Objective(property="signal", unit="1"),),
        surrogate=FilmGP(film_effect=False, noise=noise, averaging=1),
    )
    rng, group = np.random.default_rng(seed), groups_of(land.x, seed)
    mean, sd, used = np.empty_like(land.y), np.empty_like(land.y), 0.0
    for left_out in range(GROUPS):
        out = group == left_out
        rows = np.sort(rng.permutation(np.flatnonzero(~out))[:readings])
        bundle = train(problem, dataset(land, rows), seed=seed)
        used += bundle.metrics["cpu_seconds"]
        said = Predictor.from_arrays(bundle.surrogate.arrays()).predict(land.x[out])
        mean[out], sd[out] = said.mean[:, 0], np.hypot(said.latent_sd[:, 0], said.noise_sd[:, 0])
    return mean, sd, used


def space_of(land: Landscape) -> SearchSpace:
    """A search space over as many elements as there are components."""
    return SearchSpace(elements=("H", "He", "Li", "Be", "B")[: land.x.shape[1]])


def dataset(land: Landscape, rows: NDArray[np.intp]) -> Dataset:
    """Those readings as single devices."""
    n = len(rows)
    names = np.array([f"r{k:05d}" for k in rows])
    return Dataset(land.x[rows], land.y[rows, None], np.full((n, 1), np.nan), names, np.zeros(n), names)


def figures(land: Landscape, noise: NoiseModel, readings: int, seeds: int) -> tuple[dict[str, float], Array]:
    """Averages over seeds, and the mean log density of each composition."""
    rows, densities = [], []
    for seed in range(seeds):
        mean, sd, used = held_out(land, noise, readings, seed)
        z = (land.y - mean) / sd
        densities.append(norm.logpdf(z) - np.log(sd / land.y.std()))
        error = float(np.sqrt(np.mean((land.y - mean) ** 2)) / land.y.std())
        rows.append([densities[-1].mean(), np.mean(np.abs(z) < norm.ppf(0.95)), error, used / GROUPS])
    names = ("log_density", "coverage_90", "rmse", "cpu_s_per_fit")
    number = compositions(land.x)
    by_composition = np.bincount(number, np.mean(densities, axis=0)) / np.bincount(number)
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True)), by_composition


def main() -> None:
    """Print one row per data set and model, and store the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--readings", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    options = parser.parse_args()
    facts = {**provenance(), "seeds": options.seeds}
    print(heading("noise models, compositions left out"))
    table: list[dict[str, object]] = []
    for land in landscapes(options.data):
        for readings in options.readings:
            base: Array | None = None
            for name, noise in MODELS.items():
                found, each = figures(land, noise, readings, options.seeds)
                base = each if base is None else base
                gain, error = float(np.mean(each - base)), float(np.std(each - base) / len(each) ** 0.5)
                what = {"data": land.name, "readings": readings, "noise": name, "gain": gain, "se": error}
                table.append(what | found)
                print(table[-1], flush=True)
    print(markdown_table(table))
    if options.write:
        write_study("noise_models", facts, table)


if __name__ == "__main__":
    main()
