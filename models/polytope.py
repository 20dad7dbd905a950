"""Convex regions {w : G w <= h, E w = f}: an inner point, their directions, uniform samples, and the way back inside.

| symbol | meaning | shape |
| --- | --- | --- |
| G, h | inequalities that some point of the region leaves slack | r x v, r |
| centre | a point of the relative interior | v |
| basis | orthonormal directions along which the region extends | v x k |
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space
from scipy.optimize import LinearConstraint, linprog, minimize

Array = NDArray[np.float64]
Loss = Callable[[Array], tuple[float, Array]]
"""Value and gradient (k) of a function of inner coordinates (k) that are counted in units of `STEP`."""

FLAT = 1e-6
"""A region thinner than this in some direction is treated as having no extent there."""
CONSISTENT = 1e-9
"""Largest error of an equality that is still fulfilled."""
STEP = 0.03
"""Unit of length of a descent: a first step of steepest descent stays near its start."""
MOST_STEPS = 30
"""Most steps of one descent."""


@dataclass(frozen=True)
class Polytope:
    """A bounded convex region in the coordinates of its own directions; build it with `polytope`."""

    G: Array
    h: Array
    centre: Array
    basis: Array

    @property
    def freedom(self) -> int:
        """Number of independent directions, k; 0 for a single point."""
        return int(self.basis.shape[1])

    def to_inner(self, w: Array) -> Array:
        """Coordinates of `w` (... x v) along the basis, ... x k."""
        return (w - self.centre) @ self.basis

    def from_inner(self, u: Array) -> Array:
        """The points (... x v) at inner coordinates `u` (... x k)."""
        return self.centre + u @ self.basis.T

    def inner_rows(self) -> tuple[Array, Array]:
        """The inequalities in inner coordinates, `R u <= slack`: r x k and r."""
        return self.G @ self.basis, self.h - self.G @ self.centre

    def pull(self, start: Array, target: Array) -> Array:
        """Walk from `start` (inside) towards `target` as far as the region goes; both `n x v`."""
        step = (target - start) @ self.basis @ self.basis.T
        return start + _reach(start @ self.G.T - self.h, step @ self.G.T)[:, None] * step

    def repair(self, w: Array) -> Array:
        """Bring points (n x v) that miss a rule by little back inside: towards the centre, no farther than needed."""
        return self.pull(np.tile(self.centre, (len(w), 1)), w)

    def sample(self, count: int, rng: np.random.Generator, steps: int | None = None) -> Array:
        """Draw nearly uniform points by hit-and-run, `count x v`, one chain per point started at the centre.

        Source: Smith 1984, Efficient Monte Carlo procedures for generating points uniformly distributed over bounded
        regions (doi 10.1287/opre.32.6.1296).
        """
        if self.freedom == 0:
            return np.tile(self.centre, (count, 1))
        rows, slack = self.inner_rows()
        u = np.zeros((count, self.freedom))
        for _ in range(steps if steps is not None else 30 + 4 * self.freedom):
            direction = rng.standard_normal(u.shape)
            change, used = direction @ rows.T, u @ rows.T - slack
            far, near = _reach(used, change, np.inf), -_reach(used, -change, np.inf)
            u += (near + (far - near) * rng.random(count))[:, None] * direction
        return self.repair(self.from_inner(u))


def polytope(G: Array, h: Array, E: Array, f: Array) -> Polytope | None:
    """Build the region, or return None if it is empty.

    Args:
        G: `r x v` rows of `G w <= h`; they must bound the region.
        h: `r`.
        E: `e x v` rows of `E w = f`.
        f: `e`.
    """
    origin = np.linalg.lstsq(E, f)[0] if len(E) else np.zeros(G.shape[1])
    if np.abs(E @ origin - f).max(initial=0.0) > CONSISTENT:
        return None
    basis = null_space(E, rcond=1e-10) if len(E) else np.eye(G.shape[1])
    rows, slack = G @ basis, h - G @ origin
    moving = np.abs(rows).max(axis=1, initial=0.0) > 1e-12
    if slack[~moving].min(initial=0.0) < -CONSISTENT:
        return None
    rows, slack = rows[moving], slack[moving]
    found = _widest(rows, slack)
    if found is None:
        return None
    inner, radius = found
    if radius < FLAT and rows.shape[1] and (tight := _always_tight(rows, slack)).any():
        # One at a time: two rows that face each other at a hair's breadth would contradict each other as equalities.
        equal = np.flatnonzero(moving)[np.argmax(tight)]
        return polytope(np.delete(G, equal, 0), np.delete(h, equal), np.vstack([E, G[equal]]), np.append(f, h[equal]))
    return Polytope(G[moving], h[moving], origin + basis @ inner, basis)


def descend(region: Polytope, start: Array, loss: Loss, *, close: float, steps: int = MOST_STEPS) -> Array:
    """Walk from one point of a region to a minimum of a smooth function nearby, by SLSQP in the region's coordinates.

    Args:
        region: Where to stay.
        start: `v`, inside.
        loss: The function; its argument is `region.to_inner(w) / STEP`.
        close: The walk ends when a step lowers the function by less.
        steps: Most steps.

    Returns:
        `v`, inside; not better than `start` if the walk went astray, which the caller must see to.
    """
    if region.freedom == 0:
        return start
    rows, slack = region.inner_rows()
    found = minimize(
        loss,
        region.to_inner(start) / STEP,
        jac=True,
        method="SLSQP",
        constraints=[LinearConstraint(STEP * rows, -np.inf, slack)],
        options={"maxiter": steps, "ftol": close},
    )
    if not np.isfinite(found.x).all():
        return start
    # Not pulled from the start: one that lies on a border would be held there by a rounding error outward.
    ended: Array = region.repair(region.from_inner(STEP * found.x)[None])[0]
    return ended


def _widest(rows: Array, slack: Array) -> tuple[Array, float] | None:
    """Centre (k) and radius of the largest ball (of radius 1 at most) with `rows u <= slack`, or None."""
    k = rows.shape[1]
    if k == 0:
        return np.zeros(0), 0.0
    size = np.linalg.norm(rows, axis=1, keepdims=True)
    cost = np.concatenate([np.zeros(k), [-1.0]])
    bounds = [(None, None)] * k + [(0.0, 1.0)]
    solved = linprog(cost, A_ub=np.hstack([rows, size]), b_ub=slack, bounds=bounds, method="highs")
    return None if solved.x is None else (solved.x[:k], float(solved.x[k]))


def _always_tight(rows: Array, slack: Array) -> NDArray[np.bool_]:
    """Rows (r) that are equalities in disguise: none of the region's points leaves them slack.

    One linear program gives every other row as much slack as it can have. Source: Freund, Roundy, Todd 1985,
    Identifying the set of always-active constraints in a system of linear inequalities by a single linear program.
    """
    r, k = rows.shape
    solved = linprog(
        np.concatenate([np.zeros(k), -np.ones(r), [0.0]]),
        A_ub=np.hstack([rows, np.eye(r), -slack[:, None]]),
        b_ub=np.zeros(r),
        bounds=[(None, None)] * k + [(0.0, 1.0)] * r + [(1.0, 1.0 / FLAT)],
        method="highs",
    )
    return np.zeros(r, dtype=bool) if solved.x is None else solved.x[k : k + r] < 0.5


def _reach(used: Array, change: Array, most: float = 1.0) -> Array:
    """Largest t in [0, most] with `used + t change <= 0` in every row; `n x r` each, returns `n`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = np.where(change > 0.0, np.maximum(-used, 0.0) / change, np.inf)
    reach: Array = np.minimum(limit.min(axis=1, initial=np.inf), most)
    return reach
