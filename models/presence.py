"""Which elements may be present together: the discrete part of a search space.

A support is the set of elements that a film may contain. Rules "at most m of a group" and "absent or at least x" make
it a choice; once it is chosen everything else is linear.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ENUMERATED = 2048
"""Largest number of legal supports that are listed one by one before they are drawn instead."""
DRAWN = 128
"""Largest number of supports that are drawn."""


@dataclass(frozen=True)
class Presence:
    """The presence rules of d elements."""

    least: Array
    """`d` smallest fraction of an element where it is present; 0 where there is no such rule."""
    limits: tuple[tuple[Mask, int], ...]
    """Groups (d) and how many of their elements may be present."""

    def optional(self) -> Mask:
        """Elements whose presence is a choice, `d`."""
        chosen = self.least > 0.0
        for group, most in self.limits:
            if group.sum() > most:
                chosen = chosen | group
        return chosen

    def allows(self, support: Mask) -> bool:
        """Whether every "at most m" rule holds for a support (d)."""
        return all(int((support & group).sum()) <= most for group, most in self.limits)


def find_point(G: Array, h: Array, presence: Presence, reward: Array | None = None) -> Array | None:
    """A composition (d) with `G x <= h`, sum 1 and legal presence, or None.

    `reward` (d), one number per element for being present, chooses among many.
    """
    d = len(presence.least)
    eye = np.eye(d)
    groups = np.array([np.concatenate([np.zeros(d), group]) for group, _ in presence.limits]).reshape(-1, 2 * d)
    rules = [
        LinearConstraint(np.hstack([G, np.zeros_like(G)]), ub=h),
        LinearConstraint(np.concatenate([np.ones(d), np.zeros(d)])[None], 1.0, 1.0),
        LinearConstraint(np.hstack([eye, -eye]), ub=np.zeros(d)),
        LinearConstraint(np.hstack([eye, -np.diag(presence.least)]), lb=np.zeros(d)),
    ]
    if presence.limits:
        rules.append(LinearConstraint(groups, ub=np.array([most for _, most in presence.limits], dtype=float)))
    cost = np.concatenate([np.zeros(d), np.zeros(d) if reward is None else -reward])
    free = np.concatenate([np.zeros(d), np.where(presence.optional(), 0.0, 1.0)])
    integral = np.concatenate([np.zeros(d), presence.optional()])
    solved = milp(cost, integrality=integral, bounds=Bounds(free, np.ones(2 * d)), constraints=rules)
    return None if solved.x is None else np.asarray(solved.x)


def supports(
    G: Array, h: Array, lower: Array, presence: Presence, *, limit: int, rng: np.random.Generator
) -> tuple[list[Mask], bool]:
    """List the supports that obey the presence rules, without those that lie inside another one.

    Args:
        G: `r x d` linear rules.
        h: `r`.
        lower: `d` least fractions; an element that must be present is in every support.
        presence: The presence rules.
        limit: Largest number to list; beyond it, different ones are drawn by seed.
        rng: Used only when there are more than `limit`.

    Returns:
        The supports, and whether they are all there are. The linear rules may still exclude some of them.
    """
    choices = np.flatnonzero(presence.optional() & (lower <= 0.0))
    always = ~np.isin(np.arange(len(lower)), choices)
    listed = list(islice(_subsets(always, choices.tolist(), presence), ENUMERATED + 1))
    if len(listed) > ENUMERATED:
        return _drawn(G, h, always, presence, limit=min(limit, DRAWN), rng=rng), False
    largest = [support for support in listed if not _dominated(support, choices, presence)]
    if len(largest) <= limit:
        return largest, True
    return [largest[k] for k in rng.choice(len(largest), limit, replace=False)], False


def _subsets(support: Mask, choices: list[int], presence: Presence) -> Iterator[Mask]:
    if not presence.allows(support):
        return
    if not choices:
        yield support
        return
    with_first = support.copy()
    with_first[choices[0]] = True
    yield from _subsets(with_first, choices[1:], presence)
    yield from _subsets(support, choices[1:], presence)


def _dominated(support: Mask, choices: NDArray[np.intp], presence: Presence) -> bool:
    """Whether another element could join at a fraction of 0: then the larger support holds every film of this one."""
    return any(presence.allows(_with(support, k)) for k in choices if not support[k] and presence.least[k] == 0.0)


def _with(support: Mask, k: int) -> Mask:
    larger = support.copy()
    larger[k] = True
    return larger


def _drawn(G: Array, h: Array, always: Mask, presence: Presence, *, limit: int, rng: np.random.Generator) -> list[Mask]:
    """Draw feasible supports by rewarding random elements for being present."""
    found: dict[bytes, Mask] = {}
    for _ in range(limit):
        point = find_point(G, h, presence, rng.standard_normal(len(always)))
        if point is None:
            break
        support = always | (point[len(always) :] > 0.5)
        found.setdefault(support.tobytes(), support)
    return list(found.values())
