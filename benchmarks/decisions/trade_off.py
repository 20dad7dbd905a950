"""Two objectives: a large Hall resistivity at a low resistivity, over Fe-Co-Ni-Ir films, annealed; 15 films.

    python -m benchmarks.decisions.trade_off --seeds 10 --arms filmloop ax baybe optuna random --offset 0

The Hall resistivity is that of `hall.py` without Ta and W. The other objective is to be small:

    rho_xx = 12 + 400 Ir (1 - Ir) + 90 (Fe Co + Co Ni + Fe Ni) + 35 (1 - u) (1 + 2 Ir)   in uOhm cm

u is the annealing temperature in the unit interval: iridium and disorder raise both, annealing lowers the second and
has its best for the first. Counted is the hypervolume of the true values of living devices above the reference point,
as a share of the hypervolume of the whole front, on a lattice of 1 at.% and 41 temperatures.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions import hall
from benchmarks.decisions.continuous import DEVICES, Continuous
from benchmarks.decisions.study import conduct
from models.catalog import HypervolumeImprovement
from models.composition import ContinuousVariable, ElementBounds, SearchSpace
from models.film import FilmGeometry
from models.objective import Objective
from models.problem import Problem

Array = NDArray[np.float64]

NAME = "hall-trade-off"
ELEMENTS = ("Fe", "Co", "Ni", "Ir")
DEFAULT_ARMS = ("filmloop", "ax", "baybe", "optuna", "random")
REFERENCE = (1.0, 120.0)
"""Hall resistivity and resistivity at which a film begins to be worth something."""
GOAL = 0.95
"""Share of the hypervolume that is a campaign's goal."""


def values(points: Array) -> Array:
    """Truth at `j x 5` points (four fractions, temperature in the unit interval), `j x 2`."""
    fe, co, ni, ir, u = points.T
    nothing = np.zeros_like(ir)
    anomalous = hall.resistivity(np.column_stack([fe, co, ni, nothing, nothing, ir, u]))[:, 0]
    ordinary = 12.0 + 400.0 * ir * (1.0 - ir) + 90.0 * (fe * co + co * ni + fe * ni)
    return np.column_stack([anomalous, ordinary + 35.0 * (1.0 - u) * (1.0 + 2.0 * ir)])


def hypervolume(points: Array) -> float:
    """Area above `REFERENCE` that `j x 2` values dominate, the first to be large, the second small; NaN counts not."""
    gains = np.column_stack([points[:, 0] - REFERENCE[0], REFERENCE[1] - points[:, 1]])
    gains = gains[(gains > 0.0).all(axis=1)]
    area, reached = 0.0, 0.0
    for first, second in gains[np.argsort(-gains[:, 0])]:
        if second > reached:
            area += first * (second - reached)
            reached = second
    return area


@dataclass(frozen=True, eq=False)
class TradeOff(Continuous):
    """A task with two objectives, scored by the share of the hypervolume that was reached."""

    total: float = 1.0
    """Hypervolume of the whole front."""

    @property
    def goal(self) -> float:
        """A share of the hypervolume."""
        return GOAL

    def scores(self, measured: Sequence[Array]) -> list[float | None]:
        """Share of the hypervolume after each film."""
        return [hypervolume(np.vstack(measured[: k + 1])) / self.total for k in range(len(measured))]


@lru_cache(maxsize=1)
def task() -> TradeOff:
    """The task."""
    problem = Problem(
        space=SearchSpace(
            elements=ELEMENTS,
            bounds=(
                *(ElementBounds(element=e, lower=0.1, upper=0.7) for e in ELEMENTS[:3]),
                ElementBounds(element="Ir", lower=0.05, upper=0.3),
            ),
            process=(ContinuousVariable(name="anneal", unit="C", lower=hall.COLDEST, upper=hall.HOTTEST),),
        ),
        objectives=(
            Objective(property="hall_resistivity", unit=hall.UNIT, reference=REFERENCE[0]),
            Objective(property="resistivity", unit=hall.UNIT, direction="minimise", reference=REFERENCE[1]),
        ),
        film=FilmGeometry(devices=DEVICES, grading="free", span_min=0.05, span_max=0.4),
        policy=HypervolumeImprovement(),
    )
    lattice = _lattice()
    front = max_front(lattice)
    rng = np.random.default_rng(0)
    some = lattice[rng.choice(len(lattice), 4000, replace=False)]
    points = np.column_stack([some, rng.uniform(size=len(some))])
    return TradeOff(NAME, problem, values, points, lattice, 1.0, "share", total=hypervolume(front))


def load(name: str) -> TradeOff:
    """The only task that there is."""
    assert name == NAME
    return task()


def max_front(lattice: Array) -> Array:
    """Non-dominated values over the lattice (j x 4) at 41 temperatures."""
    best: list[Array] = []
    for u in np.linspace(0.0, 1.0, 41):
        found = values(np.column_stack([lattice, np.full(len(lattice), u)]))
        found = found[np.lexsort((found[:, 1], -found[:, 0]))]
        lowest = np.minimum.accumulate(found[:, 1])
        best.append(found[np.append(True, found[1:, 1] < lowest[:-1])])
    return np.vstack(best)


def _lattice() -> Array:
    """Compositions of whole at.%, `j x 4`."""
    fe, co, ir = (v.ravel() for v in np.meshgrid(range(10, 71), range(10, 71), range(5, 31), indexing="ij"))
    ni = 100 - fe - co - ir
    kept = (ni >= 10) & (ni <= 70)
    compositions: Array = np.column_stack([fe, co, ni, ir])[kept] / 100.0
    return compositions


def main() -> None:
    """Run what is missing, then print and write the table."""
    facts = {"regret": "1 - share of the hypervolume of the whole front", "goal": f"a share of {GOAL}"}
    label = "missing hypervolume / share of that of the front"
    conduct("trade_off", __doc__, (NAME,), load, DEFAULT_ARMS, pooled=True, facts=facts, label=label)


if __name__ == "__main__":
    main()
