"""Films on twelve elements with group rules, where film structures are too many to be searched one by one.

Run: `python -m benchmarks.generators.films --seeds 30 --films 9 --write`

The landscape is that of `loops.py --task wide`: five narrow ridges over twelve elements, at most five present, two
groups of at most two. A film is a free gradient of 5 to 30 at.% with five devices. Each arm begins with the same two
films and chooses the others one by one by the same surrogate and the same joint expected improvement; only where films
are looked for differs. A search begins from 24 films and refines one: far fewer than the service's 1,024 and six, since
where a search begins matters most where it cannot begin everywhere. The policy `inverse_design` climbs nothing: it lays
six films through each of the eight best of 64 compositions and makes the best of these. Time is not made equal:
training doubles that of a decision or more.

| arm | where a film is looked for | table |
| --- | --- | --- |
| random | climbed from films drawn evenly from 256 of the structures | - |
| lattice | climbed from films through compositions in steps of 5 at.%, drawn evenly | - |
| systematic | climbed from the service's own starts: drawn, through promising points, around what was read | - |
| generated | climbed from even draws, jittered readings and the generator's draws | - |
| merged | climbed from both of these | - |
| even | `inverse_design`, from even draws | - |
| learned | `inverse_design`, from the draws of a generator of what was read | - |
| pretrained | `inverse_design`, from the draws of a generator of what was read and of the table (`known`) | yes |
| rows | `inverse_design`, from rows of the table, drawn evenly: the table without a model | yes |
| jittered | `inverse_design`, from rows of the table and readings, a little changed (`neighbour_jitter`) | yes |

**The table** stands for what others have published: 300 compositions by seed, without any property, none of which
reaches the goal. Half of them are scattered about the five sets of four elements that the ridges are mixes of, half
about five other sets, drawn by the same rule, of which nothing is to be had. So it knows much: of thousands of sets of
elements ten, and half of these are good ones. It does not know which, and not where in them the tops lie.

How long the model is trained, and that half of its draws have no target, was chosen on seeds 100 to 107, after an
earlier version was begun on seeds 0 to 4 and set aside. Arms without a row were not played.

Figures: films until a device lies within the best 1 % of 4,000 even draws (`goal`), and within one sd of the best there
is (`near`), one more than were made where that never was; the regret of the best true value made, in sd; its mean over
all films (`area`); differences from other arms, paired by seed: mean, standard error, one-sided 95 % bound (`at most`),
p of the paired t test and of the sign test. `better` and `worse` are resolved: both below 0.05; `not worse`: the bound
is below half a film or 0.25 sd; `open` otherwise. With `--log FILE` a study may be cut and go on.
"""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from benchmarks.generators.landscapes import Landscape, published, wide
from benchmarks.generators.loops import LATTICE, noted, paired, played, verdict
from benchmarks.provenance import heading, markdown_table, provenance
from models.catalog import (
    ConditionalVAE,
    ExpectedImprovement,
    FilmGP,
    FilmSearch,
    GeneratorChoice,
    InverseDesign,
    NeighbourJitter,
    PolicyChoice,
    RandomFilms,
    UniformSimplex,
)
from models.dataset import Dataset
from models.errors import NotEnoughData
from models.film import Film, FilmGeometry
from models.generation import GeneratorBundle, train_generator
from models.generators.base import Examples
from models.generators.legal import legal
from models.objective import Objective
from models.policies import film_optimizer
from models.policies.base import Origin, Question
from models.policies.film_acquisition import FilmAcquisition
from models.policies.film_starts import STEPS
from models.policies.generated import laid, starting_pools
from models.problem import Problem
from models.propose import propose
from models.structures import Drawn
from models.train import train

Array = NDArray[np.float64]
Run = dict[str, object]

RESULTS = Path(__file__).parents[1] / "results" / "generators"
CLIMBED = ("random", "lattice", "systematic", "generated", "merged")
DESIGNED = ("even", "learned", "pretrained", "rows", "jittered")
ARMS = (*CLIMBED, *DESIGNED)
ORDER = ("pretrained", "jittered", "rows", "learned", "even", "merged", "generated", "systematic", "lattice", "random")
"""Each is compared with those that follow it."""
FIRST = 2
RAW, RESTARTS = 24, 1
"""Films from which a search begins, and how many of them are refined."""
MARGINS = {"films_to_goal": 0.5, "films_to_near": 0.5, "regret": 0.25, "area": 0.25}
"""Of not being worse: half a film, and as far as generators aim beyond the best, in sd."""
NOISE = 0.05
"""Of a reading, in sd of the property."""
MODEL = ConditionalVAE(steps=800, width=48, latent=8, pool=16, batch=64)
LATER = 200
"""Steps of each training but the first."""
ROWS = NeighbourJitter(neighbours=1000, scale=1e-3, exchanged=0.0)
"""Rows of a table as they are, but for a thousandth."""


def policy_of(arm: str) -> PolicyChoice:
    """Who chooses the films of an arm."""
    if arm in DESIGNED:
        return InverseDesign(draws=64, mc_samples=64)
    starts = arm if arm in {"merged", "generated"} else "systematic"
    return ExpectedImprovement.model_validate(
        {"mc_samples": 64, "raw_films": RAW, "restarts": RESTARTS, "starts": starts}
    )


def generator_of(land: Landscape, arm: str, seed: int) -> GeneratorChoice | None:
    """What draws for an arm."""
    if arm == "pretrained":
        return MODEL.model_copy(update={"known": tuple(told(land, seed))})
    kinds: dict[str, GeneratorChoice] = dict.fromkeys(("learned", "generated", "merged"), MODEL)
    kinds |= {"even": UniformSimplex(), "rows": ROWS, "jittered": NeighbourJitter(neighbours=1000)}
    return kinds.get(arm)


def told(land: Landscape, seed: int) -> list[dict[str, float]]:
    """The table of a seed, as a campaign is told of it."""
    rows = published(land, seed)
    return [{e: float(x) for e, x in zip(land.space.elements, row, strict=True) if x > 0.0} for row in rows]


def problem_of(land: Landscape, arm: str, seed: int) -> Problem:
    """The campaign of an arm."""
    return Problem(
        space=land.space,
        objectives=(Objective(property="property", unit="1"),),
        film=FilmGeometry(devices=5, span_min=0.05, span_max=0.3),
        surrogate=FilmGP(averaging=1),
        policy=policy_of(arm),
        generator=generator_of(land, arm, seed),
        initial_films=FIRST,
    )


def pools(arm: str) -> Callable[..., dict[Origin, Drawn]]:
    """Where the search of an arm begins."""
    if arm not in {"random", "lattice"}:
        return starting_pools

    def begin(
        question: Question, acquisition: FilmAcquisition, options: FilmSearch, s: Array, rng: np.random.Generator
    ) -> dict[Origin, Drawn]:
        del acquisition
        if arm == "random":
            return {"systematic": question.structures.draw(options.raw_films, rng, STEPS)}
        even = question.problem.space.sample(options.raw_films // 2, question.seed)
        rounded = np.round(even * LATTICE) / LATTICE
        on_lattice = legal(rounded / rounded.sum(axis=1, keepdims=True), question.problem.space, seed=question.seed)[0]
        return {"systematic": laid(question, on_lattice, s, rng, 2)}

    return begin


class Campaign:
    """One loop: films are made and read, one after the other."""

    def __init__(self, land: Landscape, arm: str, seed: int) -> None:
        self.land, self.arm, self.seed = land, arm, seed
        self.problem = problem_of(land, arm, seed)
        self.noise = np.random.default_rng([seed, 7])
        self.films: list[Film] = []
        self.values: list[Array] = []
        self.readings: list[Array] = []
        self.bundle: GeneratorBundle | None = None

    def make(self, film: Film) -> None:
        """Make a film and read it."""
        true = self.land.truth(film.compositions())
        self.films.append(film)
        self.values.append(true)
        self.readings.append(true + NOISE * self.land.sd * self.noise.standard_normal(len(true)))

    def dataset(self) -> Dataset:
        """Everything that was read."""
        size = len(self.films[0].s)
        names = np.repeat([f"f{k:03d}" for k in range(len(self.films))], size)
        Y = np.concatenate(self.readings)[:, None]
        times = np.repeat(np.arange(float(len(self.films))), size)
        X = np.vstack([film.points() for film in self.films])
        return Dataset(X, Y, np.full_like(Y, np.nan), names, times, np.array([f"r{k:04d}" for k in range(len(Y))]))

    def next_film(self) -> str:
        """Choose the next film and make it; what laid the film from which the search came to it."""
        seed, data = self.seed * 1000 + len(self.films), self.dataset()
        if self.problem.generator is not None:
            self.bundle = self._learned(self.problem.generator, data, seed)
        model = train(self.problem, data, seed=seed)
        generator = None if self.bundle is None else self.bundle.generator
        with patch.object(film_optimizer, "starting_pools", pools(self.arm)):
            (answer,) = propose(self.problem, model, data, pending=[], count=1, seed=seed, generator=generator)
        self.make(answer.film)
        return str(answer.start)

    def _learned(self, kind: GeneratorChoice, data: Dataset, seed: int) -> GeneratorBundle | None:
        """The generator of an arm; the model is trained anew from where it was."""
        known = Examples.to_learn(self.problem, data)
        if self.arm in {"rows", "jittered"}:
            table = known.bare(told(self.land, self.seed))
            known = table if self.arm == "rows" else known.joined(table)
        if isinstance(kind, ConditionalVAE) and self.bundle is not None:
            kind = kind.model_copy(update={"steps": LATER})
        try:
            return train_generator(kind, known, seed=seed, previous=self.bundle)
        except NotEnoughData:
            return None


def campaign(land: Landscape, arm: str, seed: int, films: int) -> Run:
    """Play one loop."""
    loop = Campaign(land, arm, seed)
    drawn = replace_policy(loop.problem)
    for answer in propose(drawn, None, Dataset.empty(land.space.dimension, 1), pending=[], count=FIRST, seed=seed):
        loop.make(answer.film)
    won = dict[str, int]()
    while len(loop.films) < films:
        start = loop.next_film()
        won[start] = won.get(start, 0) + 1
    best = np.maximum.accumulate([float(values.max()) for values in loop.values])
    return {
        "arm": arm,
        "seed": seed,
        "regret": ((land.best - best) / land.sd).tolist(),
        "films_to_goal": _first(best >= land.goal, films),
        "films_to_near": _first(best >= land.best - land.sd, films),
        "won": won,
    }


def replace_policy(problem: Problem) -> Problem:
    """The same campaign with random films, which every arm begins with."""
    return problem.model_copy(update={"policy": RandomFilms()})


def _first(reached: NDArray[np.bool_], films: int) -> int:
    """Number of the first film that did, from 1; one more than there are if none did."""
    return int(np.argmax(reached)) + 1 if reached.any() else films + 1


def figures(runs: list[Run]) -> dict[str, Callable[[Run], float]]:
    """What is compared."""
    del runs
    return {
        "films_to_goal": lambda run: float(str(run["films_to_goal"])),
        "films_to_near": lambda run: float(str(run["films_to_near"])),
        "regret": lambda run: float(np.array(run["regret"])[-1]),
        "area": lambda run: float(np.array(run["regret"]).mean()),
    }


def table(runs: list[Run], arms: list[str]) -> list[dict[str, object]]:
    """One row per arm: mean and standard error of each figure, and what won where several pools were searched."""
    rows: list[dict[str, object]] = []
    for arm in arms:
        mine = [run for run in runs if run["arm"] == arm]
        row: dict[str, object] = {"arm": arm, "seeds": len(mine)}
        for name, figure in figures(runs).items():
            values = np.array([figure(run) for run in mine])
            row[name] = (
                f"{values.mean():.2f} ± {values.std(ddof=1) / np.sqrt(len(values)):.2f}" if len(mine) > 1 else "-"
            )
        totals = dict[str, int]()
        for run in mine:
            for origin, count in dict(run["won"]).items():  # type: ignore[call-overload]
                totals[origin] = totals.get(origin, 0) + count
        rows.append(row | {"won": ", ".join(f"{k} {v}" for k, v in sorted(totals.items()))})
    return rows


def differences(runs: list[Run], arms: list[str]) -> list[dict[str, object]]:
    """Paired by seed, of each arm with a generator from the others: negative where it is better."""
    rows: list[dict[str, object]] = []
    for number, arm in enumerate(ORDER):
        for other in (a for a in ORDER[number + 1 :] if arm in arms and a in arms):
            for name, figure in figures(runs).items():
                one, two = ({run["seed"]: figure(run) for run in runs if run["arm"] == a} for a in (arm, other))
                gap = np.array([one[seed] - two[seed] for seed in sorted(set(one) & set(two), key=str)])
                found = paired(gap) | {"so": verdict(gap, MARGINS[name])}
                rows.append({"arm": arm, "less": other, "figure": name} | found)
    return rows


def write(facts: dict[str, object], runs: list[Run], arms: list[str]) -> None:
    """Keep the tables as JSON and as Markdown."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows, paired = table(runs, arms), differences(runs, arms)
    stored = {**facts, "rows": rows, "differences": paired, "campaigns": runs}
    (RESULTS / "films.json").write_text(json.dumps(stored, indent=1) + "\n")
    where = "\n".join(f"- {key}: {value}" for key, value in facts.items())
    explained = (__doc__ or "").split("\n\n", 2)[2]
    page = (
        f"# Films with generated starts\n\n{where}\n\n{explained}\n{markdown_table(rows)}\n\n{markdown_table(paired)}\n"
    )
    (RESULTS / "films.md").write_text(page)


def main() -> None:
    """Print one line per campaign and the tables, and store them if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--films", type=int, default=16)
    parser.add_argument("--log", type=Path, help="one line for each campaign; what is there already is not repeated")
    parser.add_argument("--write", action="store_true", help="store the tables under benchmarks/results/generators")
    options = parser.parse_args()
    facts = provenance() | {"films": options.films, "raw_films": RAW, "restarts": RESTARTS}
    print(heading("films with generated starts"))
    land = wide()
    runs = played(options.log)
    done = {(run["arm"], run["seed"]) for run in runs}
    for seed in range(options.seeds):
        for arm in options.arms:
            if (arm, seed) not in done:
                runs.append(campaign(land, arm, seed, options.films))
                noted(runs[-1], options.log)
        if options.write:
            write(facts, [run for run in runs if int(str(run["seed"])) <= seed], options.arms)
    print(markdown_table(table(runs, options.arms)))
    print(markdown_table(differences(runs, options.arms)))


if __name__ == "__main__":
    main()
