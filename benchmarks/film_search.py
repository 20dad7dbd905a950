"""How near the search for the best film comes to the best film known, against a long search of the same problem.

Run: `python -m benchmarks.film_search --cases 2 --seeds 2`

For d = 3, 6, 8 elements, free and pair gradient, four sizes of data and span: expected improvement over random films
on a hill with noise and film offset. The long search starts from 8,192 films and refines 40 of them, twice; the best
film that any search found is the best known. A search loses the share of the gain by which it stays below that.
"""

import argparse
import os
import time
from dataclasses import replace
from itertools import product

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.provenance import heading, markdown_table, provenance, write_study
from models.catalog import ExpectedImprovement, RandomFilms
from models.composition import SearchSpace
from models.dataset import Dataset
from models.film import Film, FilmGeometry
from models.objective import Objective
from models.policies.base import Question
from models.policies.expected_improvement import reference_points
from models.policies.film_acquisition import FilmImprovement
from models.policies.film_optimizer import best_films
from models.problem import Problem
from models.propose import propose, silent
from models.surrogates.film_gp import FilmGP
from models.tensors import to_tensor

DEVICES = 13
DRAWS = 128
LONG = ExpectedImprovement(raw_films=8192, restarts=40)
SHAPES = ((104, (0.05, 0.4)), (52, (0.0, 1.0)), (208, (0.1, 0.2)), (104, (0.05, 0.4)))
"""Readings, and least and largest span, of each case."""


def measured(films: list[Film], seed: int) -> Dataset:
    """Readings of films on a hill of height 10: noise sd 0.15, film offset sd 0.15."""
    rng = np.random.default_rng(seed)
    X = np.vstack([film.points() for film in films])
    d = X.shape[1]
    top = np.arange(1.0, d + 1.0) / np.arange(1.0, d + 1.0).sum()
    names = np.repeat([f"film-{k:03d}" for k in range(len(films))], DEVICES)
    offset = np.repeat(rng.normal(0.0, 0.15, len(films)), DEVICES)
    y = 10.0 * np.exp(-((X - top) ** 2).sum(axis=1) / 0.1) + offset + rng.normal(0.0, 0.15, len(X))
    return Dataset(X, y[:, None], np.full((len(X), 1), np.nan), names, np.arange(len(X), dtype=float)).canonical()


def case(d: int, grading: str, number: int) -> tuple[Question, FilmImprovement]:
    """A question and its acquisition, the same in every search."""
    readings, (least, most) = SHAPES[number % len(SHAPES)]
    geometry = FilmGeometry.model_validate(
        {"devices": DEVICES, "grading": grading, "span_min": least, "span_max": most}
    )
    problem = Problem(
        space=SearchSpace(elements=tuple("ABCDEFGH"[:d])),
        objectives=(Objective(property="signal", unit="V"),),
        film=geometry,
        policy=RandomFilms(),
    )
    seed = 100 * number + d
    made = propose(problem, None, Dataset.empty(d), pending=[], count=readings // DEVICES, seed=seed)
    data = measured([answer.film for answer in made], seed)
    model, _ = FilmGP.fit(problem, data, seed=seed, previous=None, progress=silent)
    question = Question(problem, data, (), seed, model, silent)
    reference = to_tensor(reference_points(question))
    return question, FilmImprovement(model.latents(), reference, devices=DEVICES, draws=DRAWS, seed=seed)


def row(d: int, grading: str, cases: int, seeds: int) -> dict[str, object]:
    """Losses of the default search over some cases and seeds."""
    losses, seconds = [], []
    for number in range(cases):
        question, acquisition = case(d, grading, number)
        known = [best_films(replace(question, seed=s), acquisition, LONG)[0].value for s in (101, 102)]
        found = []
        for seed in range(seeds):
            began = time.process_time()
            found.append(best_films(replace(question, seed=seed), acquisition, ExpectedImprovement())[0].value)
            seconds.append(time.process_time() - began)
        losses += [1.0 - float(np.exp(value - max(*known, *found))) for value in found]
    return {
        "d": d,
        "grading": grading,
        "searches": len(losses),
        "within_1_percent": float(np.mean(np.array(losses) < 0.01)),
        "mean_loss_percent": 100.0 * float(np.mean(losses)),
        "largest_loss_percent": 100.0 * max(losses),
        "search_cpu_s": float(np.median(seconds)),
    }


def main() -> None:
    """Print the table and store it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--elements", type=int, nargs="+", default=[3, 6, 8])
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    args = parser.parse_args()
    facts = provenance()
    print(heading("the search for the best film, K = 13, expected improvement, default options"))
    rows = [row(d, grading, args.cases, args.seeds) for d, grading in product(args.elements, ("free", "pair"))]
    print(markdown_table(rows))
    if args.write:
        write_study("film_search", {**facts, "cases": args.cases, "seeds": args.seeds}, rows)


if __name__ == "__main__":
    main()
