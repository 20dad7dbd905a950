"""Landscapes over compositions, on which loops with generators are played."""

import csv
import gzip
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.kernel_ridge import KernelRidge

from benchmarks.decisions.data import data_file
from benchmarks.generators.tables import Table, mpea
from models.composition import GroupRule, SearchSpace
from models.generators.element_features import element_features
from models.generators.legal import legal

Array = NDArray[np.float64]
Known = tuple[Array, Array]
"""Compositions, `n x d`, and what was read of them, `n`, NaN where nothing was."""

EVEN = 4000
EVEN_PARTS = 16
"""Seeds that these come from where sets of elements are so many that each seed has some of them only."""
HARDEST = 0.1
"""Share of the alloys whose families nobody knows at the start."""
HIDDEN = 0.5
"""Share of the other families that nobody knows, either."""
MOST_ELEMENTS = 20
"""Of a search space; alloys with others are left out."""
PER_SET = 30
"""Published compositions of each set of elements."""
SCATTER = 4.0
"""Of fractions about equal ones: shape of a Dirichlet distribution."""
MOST_PRESENT = 7
"""Elements of an alloy; few that were published have more."""
INVAR = ("Fe", "Ni", "Co", "Cr", "V", "Cu")
"""Elements of the alloys with low thermal expansion."""


@dataclass(frozen=True)
class Landscape:
    """A property to be maximised over compositions."""

    space: SearchSpace
    truth: Callable[[Array], Array]
    """`j x d` to `j`."""
    sd: float
    best: float
    goal: float
    """Value of the best 1 % of even draws, or whatever else is good."""
    known: Callable[[int], Known] | None = None
    """By seed, what a campaign begins with; even draws if None."""
    even: Array | None = None
    """Even draws, made once where making them is dear."""

    def drawn_evenly(self, count: int, seed: int) -> Array:
        """Even draws of the space, `count x d`."""
        if self.even is None:
            return self.space.sample(count, seed)
        return self.even[np.random.default_rng(seed).permutation(len(self.even))[:count]]


def landscape(space: SearchSpace, truth: Callable[[Array], Array], tops: Array | None = None) -> Landscape:
    """Say how a property is spread over its space; the best is climbed to from the best draws, and from `tops`."""
    X = space.sample(EVEN, seed=1)
    y = truth(X)
    rng, top = np.random.default_rng(2), X[np.argsort(-y)[:50]]
    top = top if tops is None else np.vstack([top, legal(tops, space, seed=0)[0]])
    for step in np.geomspace(0.1, 0.002, 12):
        near = np.repeat(top, 40, axis=0)
        moved = np.maximum(near * np.exp(step * 3.0 * rng.standard_normal(near.shape)), 0.0)
        tried = np.vstack([top, legal(moved / moved.sum(axis=1, keepdims=True), space, seed=0)[0]])
        top = tried[np.argsort(-truth(tried))[:50]]
    return Landscape(space, truth, float(y.std()), float(truth(top).max()), float(np.quantile(y, 0.99)))


def invar() -> Landscape:
    """Thermal expansion of Fe-Ni-Co-Cr-V-Cu alloys, by trees fitted to the prior part of the published table.

    Raises:
        DataAbsent: If the table is not on this machine.
    """
    X, y = invar_table()
    trees = ExtraTreesRegressor(200, random_state=0, min_samples_leaf=2).fit(X, y)
    return landscape(SearchSpace(elements=INVAR), lambda Z: -np.asarray(trees.predict(Z)))


def invar_table() -> tuple[Array, Array]:
    """Fractions (699 x 6) and thermal expansions (699) of the prior part of the published table.

    Raises:
        DataAbsent: If the table is not on this machine.
    """
    with gzip.open(data_file("invar_hea", "data_base.csv.gz"), "rt", encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))[:699]
    X = np.array([[float(row[e]) for e in INVAR] for row in rows])
    return X / X.sum(axis=1, keepdims=True), np.array([float(row["TEC"]) for row in rows])


def wide() -> Landscape:
    """Twelve elements whose supports are too many to be searched one by one."""
    elements = ("Fe", "Co", "Ni", "Cr", "Mn", "Al", "Ti", "V", "Mo", "W", "Cu", "Zr")
    groups = (
        GroupRule(name="all", elements=elements, max_present=5),
        GroupRule(name="refractory", elements=("Mo", "W", "Zr", "Ti"), upper=0.4, max_present=2),
        GroupRule(name="light", elements=("Al", "Ti", "V"), upper=0.5, max_present=2),
        GroupRule(name="magnetic", elements=("Fe", "Co", "Ni"), lower=0.2),
    )
    return landscape(SearchSpace(elements=elements, groups=groups), ridges, np.array([c for _, c in _ridges()]))


def ridges(X: Array) -> Array:
    """Five ridges, each about one mix of four elements: a broad slope towards the right elements, a narrow top."""
    value = np.zeros(len(X))
    for height, centre in _ridges():
        off = ((X - centre) ** 2).sum(axis=1)
        value += height * (0.4 * np.exp(-off / 0.3) + 0.6 * np.exp(-off / 0.02))
    return value


def _ridges() -> list[tuple[float, Array]]:
    """Height and top (12 fractions) of each."""
    rng, found = np.random.default_rng(5), list[tuple[float, Array]]()
    for height in (1.0, 0.85, 0.7, 0.6, 0.5):
        members = _members(rng)
        centre = np.zeros(12)
        centre[members] = rng.dirichlet(np.full(4, SCATTER))
        found.append((height, centre))
    return found


def _members(rng: np.random.Generator) -> NDArray[np.intp]:
    """Two of the magnetic elements and two others."""
    return np.concatenate([rng.permutation(3)[:2], 3 + rng.permutation(9)[:2]])


def published(land: Landscape, seed: int) -> Array:
    """A table that others have published on the landscape of `wide`, 300 compositions by seed, none of which is good.

    Half of them are scattered about the ridges' sets of elements, half about as many other sets by the same rule.
    """
    rng, found = np.random.default_rng([seed, 13]), list[Array]()
    good = [np.flatnonzero(centre) for _, centre in _ridges()]
    for members in (*good, *(_members(rng) for _ in good)):
        X = np.zeros((PER_SET * 20, land.space.dimension))
        X[:, members] = rng.dirichlet(np.full(len(members), SCATTER), len(X))
        brought = legal(X, land.space, seed=seed)[0]
        found.append(brought[land.truth(brought) < land.goal][:PER_SET])
    return np.vstack(found)


def families() -> Landscape:
    """Hardness of alloys of twenty elements, of which whole families are known at the start and the best are not.

    Raises:
        DataAbsent: If the table is not on this machine.
    """
    return families_of(frequent(mpea()))


def frequent(table: Table) -> Table:
    """The alloys of the elements that most alloys have."""
    common = np.sort(np.argsort(-(table.X > 0.0).sum(axis=0), kind="stable")[:MOST_ELEMENTS])
    whole = table.X[:, common].sum(axis=1) > 1.0 - 1e-9
    X = table.X[whole][:, common]
    elements = tuple(table.elements[k] for k in common)
    return Table(elements, X / X.sum(axis=1, keepdims=True), table.y[whole])


def families_of(table: Table) -> Landscape:
    """The same of any table."""
    read = np.isfinite(table.y)
    truth = smooth(table)
    groups = (GroupRule(name="all", elements=table.elements, max_present=min(MOST_PRESENT, len(table.elements))),)
    space = SearchSpace(elements=table.elements, groups=groups)
    found = truth(table.X[read])
    land = landscape(space, truth, table.X[read][np.argsort(-found)[:50]])
    even = np.vstack([space.sample(EVEN // EVEN_PARTS, seed=k) for k in range(2, EVEN_PARTS + 2)])
    sd, goal = float(found.std()), float(np.quantile(found, 0.95))

    def known(seed: int) -> Known:
        X, y = known_families(table, seed)
        return X, np.where(np.isfinite(y), truth(X), np.nan)

    return replace(land, sd=sd, goal=goal, known=known, even=even)


def smooth(table: Table) -> Callable[[Array], Array]:
    """Kernel ridge regression through what was read; its widths were chosen by leaving families out (r 0.85)."""
    features, read = element_features(table.elements), np.isfinite(table.y)
    X = described(table.X[read], features)
    centre, scale = X.mean(axis=0), np.maximum(X.std(axis=0), 1e-9)
    mean, sd = float(table.y[read].mean()), float(table.y[read].std())
    ridge = KernelRidge(kernel="rbf", gamma=0.72 / X.shape[1], alpha=0.1)
    ridge.fit((X - centre) / scale, (table.y[read] - mean) / sd)
    return lambda Z: mean + sd * np.asarray(ridge.predict((described(Z, features) - centre) / scale))


def described(X: Array, features: Array) -> Array:
    """Fractions, means and spreads of the elements' features, `n x (d + 2F)`."""
    mean = X @ features
    return np.hstack([X, mean, np.sqrt(np.maximum(X @ features**2 - mean**2, 0.0))])


def known_families(table: Table, seed: int) -> Known:
    """Alloys of the families that are known at the start: half of those without one of the hardest alloys."""
    hard = table.y >= np.nanquantile(table.y, 1.0 - HARDEST)
    names = np.array([x.tobytes() for x in table.X > 0.0], dtype=object)
    others = sorted(set(names.tolist()) - set(names[hard].tolist()))
    rng = np.random.default_rng([seed, 3])
    chosen = {others[k] for k in rng.permutation(len(others))[: round((1.0 - HIDDEN) * len(others))]}
    mine = np.array([name in chosen for name in names.tolist()])
    return table.X[mine], table.y[mine]
