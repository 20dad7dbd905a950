"""Which policy finds and knows the best soonest, where the model is right: draws from its own prior, films listed.

    python -m benchmarks.policies --seeds 30 --policies expected_improvement knowledge_gradient auto

Four elements, 400 listed films of 7 devices, spans of 10 to 40 at.%. Each seed draws a property from a Gaussian process
of known hyperparameters, noise and film offsets; the model conditions on the readings and fits nothing: policies differ
and nothing else does. Two random films first, 12 in all, the end told to the policy. All policies see the same
property, the same first films, and the same noise of film k. Finished campaigns are kept as JSON lines, not repeated.
"""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from scipy.linalg import cholesky
from scipy.stats import binomtest

from benchmarks.provenance import heading, markdown_table, provenance, write_study
from models.catalog import PolicyChoice, RandomFilms
from models.composition import SearchSpace
from models.dataset import Dataset
from models.film import Film, FilmChoice, FilmGeometry
from models.objective import Objective
from models.problem import Problem
from models.propose import propose
from models.structures import film_structures
from models.surrogates.base import ModelBundle, columns_of
from models.surrogates.evidence import CONSTANT_VARIANCE
from models.surrogates.film_gp import FilmGP
from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.hyperparameters import Hyperparameters
from models.surrogates.kernels import matern52_across

Array = NDArray[np.float64]

ELEMENTS = ("A", "B", "C", "D")
DEVICES, LISTED, FILMS, LENGTHSCALE = 7, 400, 12, 0.3
SETTINGS = ((0.05, 0.0), (0.05, 0.3), (0.05, 0.6), (0.5, 0.5))
"""Noise of a reading and offset of a film, in prior standard deviations of the property."""
BASELINE = "expected_improvement"
RESULTS = Path(__file__).parent / "results" / "policies"


@dataclass(frozen=True)
class World:
    """The films, their device points, and the Cholesky factor of the prior there."""

    problem: Problem
    films: tuple[Film, ...]
    points: Array
    root: Array

    @classmethod
    @lru_cache(maxsize=1)
    def build(cls) -> "World":
        """List the films by a fixed seed."""
        space, geometry = SearchSpace(elements=ELEMENTS), FilmGeometry(devices=DEVICES, span_min=0.1, span_max=0.4)
        drawn = film_structures(space, geometry).draw(LISTED, np.random.default_rng(1))
        films = tuple(structure.film(row, geometry.mixing()) for structure, w in drawn for row in w)
        listed = geometry.model_copy(update={"choices": tuple(FilmChoice(a=_of(f.a), b=_of(f.b)) for f in films)})
        objective = Objective(property="signal", unit="sd")
        problem = Problem(space=space, objectives=(objective,), film=listed, policy=RandomFilms(), initial_films=1)
        points = np.vstack([film.points() for film in films])
        z = points / LENGTHSCALE
        prior = matern52_across(z, z) + CONSTANT_VARIANCE + 1e-8 * np.eye(len(z))
        return cls(problem, films, points, np.asarray(cholesky(prior, lower=True)))


def _of(end: Array) -> dict[str, float]:
    return dict(zip(ELEMENTS, end.tolist(), strict=True))


def model(dataset: Dataset, noise: float, offset: float) -> FilmGP:
    """The process that drew the property, given the readings; in its own units, without a fit."""
    known = Hyperparameters(np.full(len(ELEMENTS), LENGTHSCALE), 1.0, noise**2, max(offset, 1e-4) ** 2)
    d, film = len(ELEMENTS), np.unique(dataset.films, return_inverse=True)[1]
    fitted = np.array([len(dataset)])
    zeros, ones = np.zeros(d), np.ones(d)
    return FilmGP(
        FilmGPState(zeros, ones, dataset.X, dataset.Y, dataset.Yvar, film, np.zeros(1), np.ones(1), (known,), fitted)
    )


def campaign(policy: str, seed: int, noise: float, offset: float) -> dict[str, Any]:
    """Run one campaign: regret of the best measured and of the best posterior mean after each film, in prior sd."""
    world = World.build()
    choice = TypeAdapter[Any](PolicyChoice).validate_python({"name": policy})
    problem = world.problem.model_copy(update={"policy": choice})
    rng = np.random.default_rng([seed, 0])
    f = (world.root @ rng.standard_normal(len(world.points))).reshape(len(world.films), DEVICES)
    errors = noise * rng.standard_normal((FILMS, DEVICES)) + offset * rng.standard_normal((FILMS, 1))
    starts = rng.choice(len(world.films), 2, replace=False)
    dataset, made, measured, recommended = Dataset.empty(len(ELEMENTS)), [], [], []
    for k in range(FILMS):
        chosen = int(starts[min(k, 1)])
        if k >= len(starts):
            bundle = ModelBundle(model(dataset, noise, offset), columns_of(problem), 0, {}, "", {})
            (answer,) = propose(problem, bundle, dataset, pending=[], count=1, seed=seed, left=FILMS - k)
            chosen = _number(world, answer.film)
        made.append(chosen)
        dataset = _extended(dataset, world.films[chosen], f[chosen] + errors[k], k)
        mean = model(dataset, noise, offset).predict(world.points).mean[:, 0]
        measured.append(float(f.max() - f[made].max()))
        recommended.append(float(f.max() - f.reshape(-1)[int(np.argmax(mean))]))
    return {"measured": measured, "recommended": recommended, "repeats": FILMS - len(set(made))}


def _number(world: World, film: Film) -> int:
    """Which of the listed films it is."""
    points = world.points.reshape(len(world.films), DEVICES, -1)
    return int(np.abs(points - film.points()).max(axis=(1, 2)).argmin())


def _extended(dataset: Dataset, film: Film, y: Array, number: int) -> Dataset:
    return Dataset(
        np.vstack([dataset.X, film.points()]),
        np.vstack([dataset.Y, y[:, None]]),
        np.vstack([dataset.Yvar, np.full((DEVICES, 1), np.nan)]),
        np.append(dataset.films, [f"film-{number:03d}"] * DEVICES),
        np.append(dataset.times, 3600.0 * number + np.arange(DEVICES)),
        np.append(dataset.names, [f"film-{number:03d}-{k}" for k in range(DEVICES)]),
    )


def rows(runs: Sequence[dict[str, Any]], policies: Sequence[str]) -> Iterator[dict[str, object]]:
    """One row per setting and policy, differences paired with the baseline by seed."""
    by = {(r["noise"], r["offset"], r["policy"], r["seed"]): r for r in runs}
    for noise, offset in (*SETTINGS, (None, None)):
        for policy in policies:
            keys = [k for k in by if k[2] == policy and noise in (None, k[0]) and offset in (None, k[1])]
            paired = [k for k in keys if (*k[:2], BASELINE, k[3]) in by]
            if not paired:
                continue
            row: dict[str, object] = {"noise": noise or "all", "offset": "all" if offset is None else offset}
            row |= {"policy": policy, "pairs": len(paired)}
            for name in ("measured", "recommended"):
                own = np.array([by[k][name][-1] for k in paired])
                other = np.array([by[(*k[:2], BASELINE, k[3])][name][-1] for k in paired])
                row |= {name: float(own.mean()), f"{name} - baseline": _difference(own - other)}
            yield row | {"repeats": float(np.mean([by[k]["repeats"] for k in paired]))}


def _difference(change: Array) -> str:
    """Mean with its standard error, and the sign test."""
    better, worse = int((change < -1e-9).sum()), int((change > 1e-9).sum())
    sign = binomtest(better, better + worse).pvalue if better + worse else 1.0
    error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else np.nan
    return f"{change.mean():+.3f} ± {error:.3f}, {better} better {worse} worse (p {sign:.2g})"


def main() -> None:
    """Run what is missing, then print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30, help="seeds 0 ... N - 1")
    parser.add_argument("--policies", nargs="+", default=[BASELINE, "knowledge_gradient", "auto"])
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    options = parser.parse_args()
    lines = RESULTS / "campaigns.jsonl"
    lines.parent.mkdir(parents=True, exist_ok=True)
    runs = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    done = {(r["noise"], r["offset"], r["policy"], r["seed"]) for r in runs}
    facts = provenance()
    for seed in range(options.seeds):
        for noise, offset in SETTINGS:
            for policy in options.policies:
                if (noise, offset, policy, seed) not in done:
                    key = {"noise": noise, "offset": offset, "policy": policy, "seed": seed}
                    run = {**key, "commit": facts["commit"], **campaign(policy, seed, noise, offset)}
                    runs.append(run)
                    with lines.open("a") as file:
                        file.write(json.dumps(run) + "\n")
    print(heading("policies: regret after 12 films, in prior standard deviations of the property"))
    table = list(rows(runs, options.policies))
    print(markdown_table(table))
    if options.write:
        write_study("policies", {**facts, "seeds": options.seeds, "films": FILMS, "lengthscale": LENGTHSCALE}, table)


if __name__ == "__main__":
    main()
