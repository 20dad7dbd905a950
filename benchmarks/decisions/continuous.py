"""T2 and T3: landscapes whose films lie anywhere between the rules, with a pair or a free gradient."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, minimize

from benchmarks.decisions import hall
from benchmarks.decisions.task import Values, best_so_far
from models.catalog import RandomFilms
from models.composition import SearchSpace
from models.dataset import Dataset
from models.film import Film, FilmGeometry
from models.objective import Objective
from models.problem import Problem
from models.propose import propose
from service.simulation.wafer import ELEMENTS, Wafer

Array = NDArray[np.float64]

DEVICES = 13
FILMS = 15
STARTS = 2
POOL = 2000
"""Points that are asked for the best posterior mean: a model is asked after every film."""
STARTS_KEPT = Path(__file__).with_name("starts.json")
FIRST_FILMS = 10_000
"""Added to the seed of the first films, so that the random arm does not draw them again."""


@dataclass(frozen=True, eq=False)
class Continuous:
    """A task whose true values are a function of composition and process."""

    name: str
    problem: Problem
    truths: Callable[[Array], Array]
    """From `j x (d + p)` points to `j x m` values."""
    lattice: Array
    """`j x (d + p)` points that stand for the landscape: its quantiles, its sd, and a model's recommendations."""
    grid: Array
    """`j x d` compositions of whole at.%, for peers that need a list."""
    best: float
    unit: str
    films: int = FILMS
    listed: tuple[Film, ...] | None = None

    @cached_property
    def _lattice_values(self) -> Array:
        return self.truths(self.lattice)

    @cached_property
    def sd(self) -> Array:
        """Standard deviation of each property over the landscape, `m`."""
        deviations: Array = self._lattice_values.std(axis=0)
        return deviations

    @cached_property
    def goal(self) -> float:
        """Value at the best 1 % of the landscape."""
        sign = self.problem.objectives[0].sign()
        return sign * float(np.quantile(sign * self._lattice_values[:, 0], 0.99))

    def values(self, film: Film, error: Array) -> Values:
        """True values; compositions miss in every element that the film holds, and are closed again."""
        d, points = len(film.a), film.points()
        made = points.copy()
        made[:, :d] = np.where(points[:, :d] > 0.0, np.clip(points[:, :d] + error, 0.0, None), 0.0)
        made[:, :d] /= made[:, :d].sum(axis=1, keepdims=True)
        return Values(self.truths(points), self.truths(made))

    def scores(self, measured: Sequence[Array]) -> list[float | None]:
        """Best true value after each film."""
        return best_so_far(self.problem.objectives[0].sign(), measured)

    def starts(self, seed: int) -> list[Film]:
        """Two random films: those of `starts.json`, else drawn."""
        kept = kept_starts().get(self.name, [])[seed : seed + 1]
        if kept:
            s = self.problem.film.mixing()
            return [Film(*(np.array(part) for part in film), s) for film in kept[0]]
        problem = self.problem.model_copy(update={"policy": RandomFilms()})
        nothing = Dataset.empty(self.lattice.shape[1], len(problem.objectives))
        answers = propose(problem, None, nothing, pending=[], count=STARTS, seed=FIRST_FILMS + seed)
        return [answer.film for answer in answers]

    def pool(self) -> Array:
        """Points of the landscape, at most `POOL`."""
        return self.lattice[:POOL]

    def truth(self, points: Array) -> Array:
        """True values, `j x m`."""
        return self.truths(points)


@lru_cache(maxsize=1)
def kept_starts() -> dict[str, list[list[list[list[float]]]]]:
    """By task and seed the first films (both ends and the process) with which the published campaigns began.

    They were drawn once. Directions of a draw come from an orthogonal basis, and with another machine's linear algebra
    the same seed draws other films: arms that are played on two machines would not be paired.
    """
    starts: dict[str, list[list[list[list[float]]]]] = json.loads(STARTS_KEPT.read_text())
    return starts


@lru_cache(maxsize=2)
def wafer_task(grading: str) -> Continuous:
    """T2: the magnetisation of a real Fe-Ga-Pd wafer, linear between its 278 measured points, films inside its hull."""
    wafer = Wafer.load()
    problem = Problem(
        space=SearchSpace(elements=ELEMENTS, bounds=wafer.bounds(), linear=wafer.rules()),
        objectives=(Objective(property="magnetisation", unit="V"),),
        film=FilmGeometry.model_validate({"devices": DEVICES, "grading": grading, "span_min": 0.05, "span_max": 0.4}),
    )
    percent = np.array([(f, g, 100 - f - g) for f in range(40, 90) for g in range(1, 50) if f + g < 100]) / 100.0
    inside = percent[wafer.inside(percent)]
    return Continuous(
        f"fe-ga-pd-{grading}",
        problem,
        lambda points: wafer.truth(points)[:, None],
        inside,
        inside,
        wafer.best_value,
        "V",
    )


@lru_cache(maxsize=2)
def hall_task(grading: str) -> Continuous:
    """T3: a synthetic anomalous Hall resistivity over Fe-Co-Ni with two of Ta, W, Ir, annealed."""
    problem = hall.problem(DEVICES, grading)
    rng = np.random.default_rng(0)
    sampled = hall.lattice()[rng.choice(hall.LATTICE_POINTS, 8000, replace=False)]
    points = np.column_stack([sampled, rng.uniform(size=len(sampled))])
    return Continuous(f"hall-{grading}", problem, hall.resistivity, points, hall.lattice(), hall_best(), hall.UNIT)


@lru_cache(maxsize=1)
def hall_best() -> float:
    """Largest value that any film may reach: the best of lattice and temperatures, climbed from there."""
    lattice = hall.lattice()
    starts = np.vstack([np.column_stack([lattice, np.full(len(lattice), u)]) for u in np.linspace(0.0, 1.0, 11)])
    values = hall.resistivity(starts)[:, 0]
    G, h, _ = hall.problem(DEVICES, "free").space.inequalities()
    rules = [
        LinearConstraint(np.column_stack([G, np.zeros(len(h))]), ub=h),
        LinearConstraint(np.append(np.ones(G.shape[1]), 0.0), lb=1.0, ub=1.0),
    ]

    def loss(w: Array) -> float:
        return -float(hall.resistivity(w[None])[0, 0])

    best = float(values.max())
    for start in starts[np.argsort(-values)[:4]]:
        bounds = Bounds(np.zeros(len(start)), np.append((start[:-1] > 0.0).astype(float), 1.0))
        end = minimize(loss, start, bounds=bounds, constraints=rules, method="SLSQP")
        best = max(best, -float(end.fun))
    return best


TASKS: Mapping[str, Callable[[], Continuous]] = {
    "fe-ga-pd-pair": lambda: wafer_task("pair"),
    "fe-ga-pd-free": lambda: wafer_task("free"),
    "hall-pair": lambda: hall_task("pair"),
    "hall-free": lambda: hall_task("free"),
}


def load(name: str) -> Continuous:
    """The task of a name."""
    return TASKS[name]()
