"""Does the surrogate know how much it knows? Leave-one-film-out calibration on the demo's wafer, with film offsets.

Run: `python -m benchmarks.surrogate_calibration --films 3 6 12 20 --seeds 12`

Films of 13 devices lie anywhere on the real Fe-Ga-Pd wafer; readings carry noise of 5 % of the property's standard
deviation and an offset per film of 0, 0.3 or 0.6 of it. Printed beside the model that leaves the film effect out:
mean log density per reading of each film predicted from the others, coverage of its 50, 90 and 95 % intervals, and the
root mean square error of f itself at the wafer's 278 measured points. Log densities are in units of the property's sd.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.decision_time import films_of
from benchmarks.provenance import heading, provenance, write_study
from models.catalog import FilmGP
from models.dataset import Dataset
from models.film import Film
from models.train import train
from service.simulation.campaign import fe_ga_pd_problem
from service.simulation.wafer import Wafer

NOISE = 0.05
"""Standard deviation of a reading, in sd of the property."""
COLUMNS = ("log_density", "coverage_50", "coverage_90", "coverage_95", "rmse")


def readings(films: list[Film], wafer: Wafer, offset: float, seed: int) -> Dataset:
    """Noisy readings of the films, with an offset of standard deviation `offset` (in sd of the property) per film."""
    rng = np.random.default_rng(seed)
    devices = len(films[0].s)
    X = np.vstack([f.points() for f in films])
    sd = wafer.values.std()
    Y = wafer.truth(X[:, :3]) + sd * np.repeat(rng.normal(0.0, offset, len(films)), devices)
    Y += sd * rng.normal(0.0, NOISE, len(X))
    names = np.repeat([f"film-{k:03d}" for k in range(len(films))], devices)
    return Dataset(X, Y[:, None], np.full((len(X), 1), np.nan), names, np.arange(len(X), dtype=float))


def figures(films: int, offset: float, *, film_effect: bool, seed: int) -> list[float]:
    """One fit: the figures of `COLUMNS`."""
    wafer = Wafer.load()
    sd = float(wafer.values.std())
    problem = fe_ga_pd_problem().model_copy(update={"surrogate": FilmGP(film_effect=film_effect)})
    bundle = train(problem, readings(films_of(problem, films, seed), wafer, offset, seed), seed=seed)
    report = bundle.metrics["objectives"][0]["leave_film_out"]
    error = bundle.predict(problem, wafer.compositions).mean[:, 0] - wafer.values
    coverages = [report[name] for name in COLUMNS[1:4]]
    return [report["log_density"] + np.log(sd), *coverages, float(np.sqrt(np.mean(error**2))) / sd]


def main() -> None:
    """Print one row per setting, and store the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, nargs="+", default=[3, 6, 12, 20])
    parser.add_argument("--offsets", type=float, nargs="+", default=[0.0, 0.3, 0.6])
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    options = parser.parse_args()
    facts = provenance()
    print(heading("leave-one-film-out calibration, Fe-Ga-Pd wafer"))
    print(f"{'offset':>6} {'films':>5} {'film effect':>11}", *(f"{c:>12}" for c in COLUMNS))
    table = []
    for offset in options.offsets:
        for films in options.films:
            for film_effect in (True, False):
                runs = [figures(films, offset, film_effect=film_effect, seed=seed) for seed in range(options.seeds)]
                mean = dict(zip(COLUMNS, np.mean(runs, axis=0).tolist(), strict=True))
                table.append({"offset": offset, "films": films, "film_effect": film_effect} | mean)
                name = "with" if film_effect else "without"
                print(f"{offset:6.1f} {films:5d} {name:>11}", *(f"{v:12.3f}" for v in mean.values()), flush=True)
    if options.write:
        write_study("surrogate_calibration", {**facts, "seeds": options.seeds}, table)


if __name__ == "__main__":
    main()
