"""Wild and saturated readings: what they cost a model that believes them, and one that knows of them.

Run: `python -m benchmarks.odd_readings --seeds 12 --write`

Wild readings: films of 13 devices over six elements on a smooth property, noise 5 % of its standard deviation, film
offsets of 30 %. A share of the readings has ten times the noise, or a single one is off by 10 or 40 standard deviations
of the noise. Errors of f are in standard deviations of the noise, at the devices (offset of the film taken out) and at
300 compositions over the whole space; log densities of f per standard deviation of the property.

Saturated readings: films on the real Fe-Ga-Pd wafer, read by an instrument that ends at 10 V (19 of its 278 points lie
above). The model is told which readings are saturated, takes them at their word, or does without them. Errors are in V
at the points above the limit; the last column is the true value of the composition that the model holds for the best.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.decision_time import alloy_problem, films_of
from benchmarks.provenance import heading, provenance, write_study
from models.catalog import FilmGP, NoiseModel
from models.dataset import Dataset
from models.film import Film
from models.problem import Problem
from models.surrogates.base import ModelBundle
from models.train import train
from service.simulation.campaign import fe_ga_pd_problem
from service.simulation.wafer import Wafer

Array = NDArray[np.float64]

NOISE, OFFSET = 0.05, 0.3
LIMIT = 10.0
"""Where the instrument ends, in V."""
CASES = {
    "none": (0.0, 0.0),
    "2 %": (0.02, 0.0),
    "5 %": (0.05, 0.0),
    "one of 10 sd": (0.0, 10.0),
    "one of 40 sd": (0.0, 40.0),
}
"""Share of readings with ten times the noise, and size of a single wild one."""
MODELS = {"believes": NoiseModel(outliers="none"), "contaminated_normal": NoiseModel()}


def two_hills(X: Array) -> Array:
    """A smooth property over six elements, `n`."""
    hills = [(3.0, [0.35, 0.35, 0.1, 0.0, 0.1, 0.1]), (2.0, [0.2, 0.15, 0.5, 0.15, 0.0, 0.0])]
    return np.asarray(sum(height * np.exp(-((X - np.array(at)) ** 2).sum(1) / 0.08) for height, at in hills))


def dataset(films: list[Film], Y: Array) -> Dataset:
    """Readings of the films in the order of their devices."""
    names = np.repeat([f"film-{k:03d}" for k in range(len(films))], [len(f.s) for f in films])
    positions = np.concatenate([f.s for f in films])
    unknown = np.full((len(Y), 1), np.nan)
    times, uids = np.arange(len(Y), dtype=float), np.array([f"r{k:05d}" for k in range(len(Y))])
    X = np.vstack([f.points() for f in films])
    return Dataset(X, Y[:, None], unknown, names, times, uids, positions=positions)


def wild_figures(films: int, case: str, seed: int) -> list[dict[str, float]]:
    """One lab, one row of figures per model."""
    problem, rng = alloy_problem(), np.random.default_rng([seed, films])
    made = films_of(problem, films, seed)
    probe = problem.space.sample(300, seed=1)
    X, sd = np.vstack([f.points() for f in made]), float(two_hills(probe).std())
    share, single = CASES[case]
    own, chance, offset = rng.standard_normal(len(X)), rng.random(len(X)), rng.standard_normal(films)
    wild = chance < share
    own = np.where(wild, 10.0 * own, own)
    if single:
        wild[rng.integers(len(X))] = True
        own = np.where(wild, single, own)
    shared = np.repeat(offset, [len(f.s) for f in made])
    data = dataset(made, two_hills(X) + sd * (OFFSET * shared + NOISE * own))
    rows = []
    for noise in MODELS.values():
        began = time.process_time()
        bundle = train(problem.model_copy(update={"surrogate": FilmGP(noise=noise)}), data, seed=0)
        taken, report = time.process_time() - began, bundle.metrics["objectives"][0]
        held = {outlier["reading"] for outlier in report["outliers"]}
        truly = set(data.names[wild].tolist())
        at_devices = (bundle.predict(problem, X).mean[:, 0] - two_hills(X)).reshape(films, -1)
        mean, spread = (part[:, 0] for part in bundle.predict(problem, probe))
        z = (mean - two_hills(probe)) / spread
        rows.append(
            {
                "error at devices": float((at_devices - at_devices.mean(1, keepdims=True)).std() / sd / NOISE),
                "error": float(np.sqrt(np.mean((mean - two_hills(probe)) ** 2)) / sd / NOISE),
                "log density of f": float(np.mean(-0.5 * (z * z + np.log(2 * np.pi)) - np.log(spread / sd))),
                "noise found": report["noise_sd"] / sd / NOISE,
                "wild": float(len(truly)),
                "wild held": float(len(held & truly)),
                "sound held": float(len(held - truly)),
                "leave-film-out log density": report["leave_film_out"]["log_density"] + float(np.log(sd)),
                "CPU s": taken,
            }
        )
    return rows


def saturated_figures(films: int, seed: int) -> list[dict[str, float]]:
    """One lab with an instrument that ends at 10 V: told, believed and left out."""
    wafer, problem = Wafer.load(), fe_ga_pd_problem()
    made, rng = films_of(problem, films, seed), np.random.default_rng([seed, films])
    X = np.vstack([f.points() for f in made])
    y = wafer.truth(X[:, :3]) + NOISE * wafer.values.std() * rng.standard_normal(len(X))
    above = y >= LIMIT
    whole = dataset(made, np.minimum(y, LIMIT))
    told = replace(whole, censored=above.astype(np.int8)[:, None])
    high = wafer.values >= LIMIT
    rows = []
    for data in (told, whole, whole.take(~above), dataset(made, y)):
        bundle = train(problem, data, seed=0)
        mean, sd = (part[:, 0] for part in bundle.predict(problem, wafer.compositions))
        z = (wafer.values - mean) / sd
        rows.append(
            {
                "saturated": float(above.sum()),
                "error above the limit": float(np.sqrt(np.mean((mean - wafer.values)[high] ** 2))),
                "error below": float(np.sqrt(np.mean((mean - wafer.values)[~high] ** 2))),
                "log density above": float(np.mean((-0.5 * (z * z + np.log(2 * np.pi)) - np.log(sd))[high])),
                "true value of the best": best_found(problem, bundle, wafer),
            }
        )
    return rows


def best_found(problem: Problem, bundle: ModelBundle, wafer: Wafer) -> float:
    """True value, in V, of the composition that the model holds for the best."""
    best = np.array([bundle.posterior_map(problem).best_composition])
    return float(wafer.truth(best)[0])


def averaged(rows: list[dict[str, float]]) -> dict[str, float]:
    """Means over the seeds."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def main() -> None:
    """Print both tables, and store them if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, nargs="+", default=[5, 15])
    parser.add_argument("--saturated-films", type=int, nargs="+", default=[12, 24])
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--write", action="store_true", help="store the tables under benchmarks/results")
    options = parser.parse_args()
    facts = {**provenance(), "seeds": options.seeds}
    print(heading("wild and saturated readings"))
    wild: list[dict[str, object]] = []
    for films in options.films:
        for case in CASES:
            runs = [wild_figures(films, case, seed) for seed in range(options.seeds)]
            for k, name in enumerate(MODELS):
                wild.append({"films": films, "wild readings": case, "model": name} | averaged([run[k] for run in runs]))
                print(wild[-1], flush=True)
    saturated: list[dict[str, object]] = []
    for films in options.saturated_films:
        runs = [saturated_figures(films, seed) for seed in range(options.seeds)]
        for k, name in enumerate(("told", "believed", "left out", "an instrument without limit")):
            saturated.append({"films": films, "saturated readings": name} | averaged([run[k] for run in runs]))
            print(saturated[-1], flush=True)
    if options.write:
        write_study("wild_readings", facts, wild)
        write_study("saturated_readings", facts, saturated)


if __name__ == "__main__":
    main()
