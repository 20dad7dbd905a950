"""The rules of a film, parted into what is discrete and what is linear.

Discrete: the elements that may be present, the pair that trades, the element that spans and in which direction, every
categorical process choice. Linear: the rest, as rules on w = (A, B, continuous process columns). Source:
docs/science.md, section 4.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from models.composition import CategoricalVariable, SearchSpace
from models.film import FilmGeometry
from models.polytope import Polytope, polytope
from models.presence import ENUMERATED, Presence, supports

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Spanning:
    """Element `element` changes by at least the smallest span; `sign` +1 if it is richer at end A."""

    element: int
    sign: float


def film_supports(space: SearchSpace, geometry: FilmGeometry, seed: int = 0) -> tuple[list[Mask], bool]:
    """Sets of elements that a film may contain, and whether these are all.

    A source with a least command is off or on: its element is absent or has some least fraction.
    """
    if geometry.grid is None:
        return space.supports(seed=seed)
    G, h, _ = space.inequalities()
    presence = Presence(least_fractions(space, geometry), space.presence().limits)
    return supports(G, h, space.lower(), presence, limit=ENUMERATED, rng=np.random.default_rng(seed))


def least_fractions(space: SearchSpace, geometry: FilmGeometry) -> Array:
    """Least fraction of each element where it is present, `d`: by its rule, and by what its source can be told."""
    least = space.presence().least
    if geometry.grid is None:
        return least
    table = geometry.grid.table(space.elements)
    flux, most = (table.rate * table.commands(n) for n in (table.least, table.most))
    lowest: Array = np.maximum(least, flux / (flux + most.sum() - most))
    return lowest


def gradings(support: Mask, geometry: FilmGeometry) -> Iterator[tuple[tuple[int, int] | None, Spanning | None]]:
    """Pairs and spanning elements of one support. Mirror images are skipped where both ends are alike."""
    elements = [int(k) for k in np.flatnonzero(support)]
    s = geometry.mixing()
    signs = (1.0,) if np.allclose(s + s[::-1], 1.0, atol=1e-12) else (1.0, -1.0)
    if geometry.grading == "pair":
        for pair in combinations(elements, 2):
            yield from (((pair, Spanning(pair[0], sign)) for sign in signs) if geometry.span_min else [(pair, None)])
        if len(elements) == 1 and geometry.span_min == 0.0:
            yield None, None
    elif geometry.span_min > 0.0:
        yield from ((None, Spanning(k, sign)) for k, sign in product(elements, signs))
    else:
        yield None, None


def categories(space: SearchSpace) -> Iterator[Array]:
    """Process vectors with every combination of categorical choices; continuous columns are 0."""
    columns = [np.eye(v.width) if isinstance(v, CategoricalVariable) else np.zeros((1, 1)) for v in space.process]
    for rows in product(*columns):
        yield np.concatenate([*rows, np.empty(0)])


class FilmRules:
    """The linear rules on w = (A, B, continuous process columns) that every structure shares."""

    def __init__(self, space: SearchSpace, geometry: FilmGeometry) -> None:
        self.space, self.geometry = space, geometry
        self.d = space.dimension
        self.least = least_fractions(space, geometry)
        kinds = [isinstance(v, CategoricalVariable) for v in space.process for _ in range(v.width)]
        self.free = np.flatnonzero(~np.array(kinds, dtype=bool))
        self.size = 2 * self.d + len(self.free)
        self.G, self.h, self.names = space.inequalities()

    def only(self, rows: list[int]) -> "FilmRules":
        """The same with the composition rules `rows` only."""
        fewer = FilmRules(self.space, self.geometry)
        fewer.G, fewer.h = self.G[rows], self.h[rows]
        return fewer

    def region(self, support: Mask, pair: tuple[int, int] | None, spanning: Spanning | None) -> Polytope | None:
        """The films of one support (d), pair and spanning element, or None if no film obeys the rules."""
        G, h = self._inequalities(support, spanning)
        E, f = self._equalities(support, pair)
        return polytope(G, h, E, f)

    def _inequalities(self, support: Mask, spanning: Spanning | None) -> tuple[Array, Array]:
        at_a, at_b, free = self._parts()
        least, ones = np.where(support, self.least, 0.0), np.ones(len(free))
        blocks = [(self.G @ at_a, self.h), (self.G @ at_b, self.h), (-at_a, -least), (-at_b, -least)]
        blocks += [(free, ones), (-free, 0.0 * ones)]
        reach = np.full(self.d, self.geometry.span_max)
        blocks += [(at_a - at_b, reach), (at_b - at_a, reach)]
        if spanning is not None:
            change = spanning.sign * (at_a - at_b)[[spanning.element]]
            blocks.append((-change, np.array([-self.geometry.span_min])))
        deliverable = self._deliverable(support, at_a, at_b)
        blocks.append((deliverable, np.zeros(len(deliverable))))
        return np.vstack([g for g, _ in blocks]), np.concatenate([b for _, b in blocks])

    def _deliverable(self, support: Mask, at_a: Array, at_b: Array) -> Array:
        """Rows of `D w <= 0`: some total flux keeps every source between its least and its largest command.

        With fluxes from l to m and total flux F, F x_k <= m_k and F x_i >= l_i for all i, k at both ends; F leaves
        by combining each upper limit with each lower one: l_i x_k <= m_k x_i.
        """
        if self.geometry.grid is None:
            return np.empty((0, self.size))
        table, r = self.geometry.grid.table(self.space.elements), self.geometry.flux_ratio
        least, most = (table.rate * table.commands(n) for n in (table.least, table.most))
        flux = np.vstack([at_a[support], r * at_b[support]])  # of a film with total flux 1 at end A
        low, high = np.tile(least[support], 2), np.tile(most[support], 2)
        rows = [low[i] / high[k] * flux[k] - flux[i] for i in np.flatnonzero(low) for k in range(len(flux)) if i != k]
        return np.array(rows).reshape(-1, self.size)

    def _equalities(self, support: Mask, pair: tuple[int, int] | None) -> tuple[Array, Array]:
        at_a, at_b, _ = self._parts()
        E = [at_a.sum(axis=0), at_b.sum(axis=0), *at_a[~support], *at_b[~support]]
        if pair is not None:
            E += [at_a[k] - at_b[k] for k in np.flatnonzero(support) if k not in pair]
        return np.array(E), np.concatenate([[1.0, 1.0], np.zeros(len(E) - 2)])

    def _parts(self) -> tuple[Array, Array, Array]:
        """Matrices that take A, B and the process columns out of w."""
        eye = np.eye(self.size)
        return eye[: self.d], eye[self.d : 2 * self.d], eye[2 * self.d :]
