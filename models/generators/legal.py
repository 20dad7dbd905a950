"""Draws brought to a campaign's rules: first the elements that may be present, then the nearest fractions.

Nothing is rejected. Where a draw breaks a rule, the elements present are chosen as near to its own as the rules on
presence and the linear rules allow (a small integer program), and its fractions are projected on what is left, a convex
polytope, in the Euclidean metric and exactly.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from models.composition import TOLERANCE, SearchSpace
from models.errors import InvalidComposition, NoFeasibleFilm
from models.polytope import Polytope
from models.presence import Mask, find_point

Array = NDArray[np.float64]

FLAGGED = 1e-9
"""A least fraction that says no more than that the presence of an element is a choice."""
EXACT = 1e-10
"""Breaks of a rule that are still left alone: a tenth of what a proposal may be off by."""


def legal(X: Array, space: SearchSpace | None, *, seed: int) -> tuple[Array, Array]:
    """Bring compositions to the rules.

    Args:
        X: `n x d` fractions that sum to 1.
        space: The rules; None if there are none.
        seed: Draws the composition that replaces one for which the integer program fails, which is rare.

    Returns:
        `n x d` compositions that obey every rule to `TOLERANCE`, and the `n` L1 distances that they were moved.

    Raises:
        InvalidComposition: If the space has another number of elements.
        NoFeasibleFilm: If the rules leave no composition.
    """
    if space is None or not len(X):
        return X, np.zeros(len(X))
    if X.shape[1] != space.dimension:
        raise InvalidComposition(f"draws of {X.shape[1]} elements for a space of {space.dimension}")
    brought, supports = X.copy(), _Supports(space)
    for row in np.flatnonzero(~_obeys(X, space)):
        near = supports.nearest(X[row])
        brought[row] = _replacement(space, [seed, int(row)]) if near is None else _projected(X[row], *near)
    return brought, np.abs(brought - X).sum(axis=1)


def project(w: Array, region: Polytope) -> Array:
    """The point (v) of a region that is nearest to `w` (v), exactly.

    Least distance programming: `min |v|` with `R v <= s` is solved by one non-negative least squares problem, whose
    active set is found in a finite number of steps. Source: Lawson and Hanson 1974, Solving Least Squares Problems, 23.
    """
    if region.freedom == 0:
        return region.centre
    rows, slack = region.inner_rows()
    at = region.to_inner(w)
    left = slack - rows @ at
    if left.min() >= 0.0:
        return region.from_inner(at)
    system = np.vstack([-rows.T, -left])
    multipliers, _ = nnls(system, np.append(np.zeros(len(at)), 1.0))
    residual = system @ multipliers - np.append(np.zeros(len(at)), 1.0)
    # The last residual is minus the squared distance over one plus it: 0 only for a region that is empty.
    moved = at - residual[:-1] / residual[-1] if residual[-1] < -1e-14 else np.zeros(len(at))
    nearest: Array = region.repair(region.from_inner(moved)[None])[0]
    return nearest


class _Supports:
    """Elements that may be present, for one set of rules; what was found for one pattern of elements is kept."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.G, self.h, _ = space.inequalities()
        presence = space.presence()
        # Every element is a choice here, so that one which the draw lacks is let in only where a rule needs it.
        self.presence = replace(presence, least=np.maximum(presence.least, FLAGGED))
        self._known: dict[bytes, tuple[Mask, Polytope] | None] = {}

    def nearest(self, x: Array) -> tuple[Mask, Polytope] | None:
        """The legal support nearest to that of `x` (d), of several the one that holds more of it, with its region."""
        key = (x > TOLERANCE).tobytes()
        if key not in self._known:
            self._known[key] = self._found(x)
        return self._known[key]

    def _found(self, x: Array) -> tuple[Mask, Polytope] | None:
        present = x > TOLERANCE
        own = self.space.region(present) if self.space.presence().allows(present) else None
        if own is not None:
            return present, own
        point = find_point(self.G, self.h, self.presence, np.where(present, 1.0 + x, -1.0))
        if point is None:
            return None
        support = point[len(x) :] > 0.5
        region = self.space.region(support)
        return None if region is None else (support, region)


def _projected(x: Array, support: Mask, region: Polytope) -> Array:
    inside = np.where(support, np.maximum(project(x, region), 0.0), 0.0)
    projected: Array = inside / inside.sum()
    return projected


def _obeys(X: Array, space: SearchSpace) -> NDArray[np.bool_]:
    """Which compositions obey every rule, `n`."""
    G, h, _ = space.inequalities()
    presence = space.presence()
    here = X > TOLERANCE
    fine = (G @ X.T - h[:, None] <= EXACT).all(axis=0) & (np.abs(X.sum(axis=1) - 1.0) <= EXACT)
    fine &= (~here | (presence.least - EXACT <= X)).all(axis=1)
    for group, most in presence.limits:
        fine &= here[:, group].sum(axis=1) <= most
    return np.asarray(fine)


def _replacement(space: SearchSpace, seed: list[int]) -> Array:
    """Some composition that obeys the rules."""
    found = space.sample(1, int(np.random.SeedSequence(seed).generate_state(1)[0]))
    if not len(found):
        raise NoFeasibleFilm("the rules leave no composition")
    return np.asarray(found[0])
