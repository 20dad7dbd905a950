"""The columns and units in which a surrogate works: widths of the search space, robust standard units of the readings.

Its columns are the fractions, the process, and the total of every group of elements that the search space has a rule
for: whoever writes one rule for several elements holds them for of one kind, and what their total does to a property is
learnt sooner than what each of them does.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from models.composition import SearchSpace
from models.dataset import Dataset

Array = NDArray[np.float64]

MIDDLE_80 = 2.5631031310892007
"""Width of the middle 80 % of a standard normal distribution."""
FIXED = 1e-6
"""Width up to which a fraction, or a total, counts as fixed."""
SMALLEST = 1e-100
"""Least scale of readings; anything smaller is rounding."""
UNSEEN = 2.0
"""How much further the property reaches than the readings of a single film, in scales of these readings."""
SOURCE = 2.0
"""Own films like which a source of prior data counts for the scale of the readings."""
LARGEST = 1e100
"""Largest size of a reading, in its own or in standardised units: its square must not overflow."""


def space_ranges(space: SearchSpace) -> tuple[Array, Array]:
    """Least value and width of each column of a device point, from the rules of the search space alone.

    A rule on one element bounds the others, since fractions sum to 1: the range of each is a linear programme. Process
    columns already lie in the unit cube.

    Returns:
        `d + p` least values and `d + p` widths; a column that cannot change has width 1.
    """
    low, width = _ranges(space.model_dump_json())
    return low.copy(), width.copy()


def group_totals(space: SearchSpace) -> Array:
    """The sums of fractions that are columns of their own, `g x d`: 1 where an element belongs to a group.

    Groups count whose rule limits their total. One is left out if its total cannot change, or says what another column
    says or what the others leave: that of one element, of all, of all but one, and of the same elements twice; elements
    of fixed fraction do not count.

    Returns:
        Empty (0 x 0) where there is none.
    """
    return _totals(space.model_dump_json())[0].copy()


def total_ranges(space: SearchSpace) -> tuple[Array, Array]:
    """Least value and width of each of the `group_totals`, `g` each."""
    _, low, width = _totals(space.model_dump_json())
    return low.copy(), width.copy()


def with_totals(X: Array, totals: Array) -> Array:
    """Device points (j x (d + p)) with the totals (g x d) of their groups as further columns: `j x (d + p + g)`."""
    return np.hstack([X, X[:, : totals.shape[1]] @ totals.T]) if len(totals) else X


@lru_cache(maxsize=64)
def _ranges(space_json: str) -> tuple[Array, Array]:
    space = SearchSpace.model_validate_json(space_json)
    low, width = _reach(space, np.eye(space.dimension), space.lower(), space.upper())
    p = len(space.process_columns)
    widths = np.concatenate([np.where(width > FIXED, width, 1.0), np.ones(p)])
    return np.concatenate([low, np.zeros(p)]), widths


@lru_cache(maxsize=64)
def _totals(space_json: str) -> tuple[Array, Array, Array]:
    """The `group_totals` of a space with their least values and widths."""
    space = SearchSpace.model_validate_json(space_json)
    free = _reach(space, np.eye(space.dimension), space.lower(), space.upper())[1] > FIXED
    rows: list[NDArray[np.bool_]] = []
    for group in space.groups:
        member = np.isin(space.elements, group.elements)
        varied = member[free]
        known = any(np.array_equal(row[free], varied) or np.array_equal(row[free], ~varied) for row in rows)
        if 1 < varied.sum() < len(varied) - 1 and not known and (group.lower > 0.0 or group.upper < 1.0):
            rows.append(member)
    totals = np.array(rows, dtype=np.float64).reshape(-1, space.dimension)
    low, width = _reach(space, totals, np.zeros(len(totals)), np.ones(len(totals)))
    changes = width > FIXED
    return totals[changes] if changes.any() else np.empty((0, 0)), low[changes], width[changes]


def _reach(space: SearchSpace, directions: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Least values and widths of some sums of fractions (k x d), `low` and `high` (k) where no rule bounds them."""
    G, h, _ = space.inequalities()
    low, high = low.copy(), high.copy()
    for k, direction in enumerate(directions):
        for sign, bound in ((1.0, low), (-1.0, high)):
            found = linprog(sign * direction, A_ub=G, b_ub=h, A_eq=np.ones((1, space.dimension)), b_eq=[1.0])
            if found.status == 0 and found.fun is not None:
                bound[k] = sign * float(found.fun)
    # Rounded, so that the solver's last digits never reach a model.
    return np.round(low, 9), np.round(high - low, 9)


def robust_units(values: Array) -> tuple[float, float]:
    """Centre and scale of readings that a few wild ones do not move.

    Args:
        values: `n` finite readings, n > 0.

    Returns:
        The median, and the range of the middle 80 % in units of a normal distribution's; where that is 0, the standard
        deviation, and where all values are equal, their size (or 1).
    """
    centre = float(np.median(values))
    low, high = np.quantile(values, [0.1, 0.9])
    candidates = (float(high - low) / MIDDLE_80, float(np.std(values)), abs(centre), 1.0)
    return centre, next(scale for scale in candidates if scale > max(1e-12 * abs(centre), SMALLEST))


def source_names(dataset: Dataset) -> list[str]:
    """Names of the sources of prior data, in order: their numbers are places in this list."""
    return sorted(set(dataset.sources.tolist()) - {""})


def units_with_prior(own: Array, films: int, elsewhere: list[Array]) -> tuple[float, float]:
    """Centre and scale of readings of which some come from elsewhere.

    The centre is that of the campaign's own readings if there are any. The scale is a weighted mean, in the logarithm,
    of what the own films and the sources show: a source counts like `SOURCE` films.

    Args:
        own: `n` readings of the campaign's own films.
        films: On so many films.
        elsewhere: Readings of each source, at least one source or two own readings.

    Returns:
        Centre and scale.
    """
    found = [robust_units(values) for values in elsewhere]
    if not len(own):
        return float(np.median([centre for centre, _ in found])), float(np.exp(np.mean(np.log([s for _, s in found]))))
    centre, scale = robust_units(own)
    scale *= seen_to_whole(films)
    if not found:
        return centre, scale
    around = float(np.mean(np.log([s for _, s in found])))
    # One device, or several that read the same, show no spread at all.
    seen = films if np.ptp(own) > 0.0 else 0
    return centre, float(np.exp((seen * np.log(scale) + SOURCE * around) / (seen + SOURCE)))


def seen_to_whole(films: int) -> float:
    """Factor from the scale of the readings on `films` films, one at least, to that of the whole search space.

    Devices of one film are alike, so that few films show less than the property does. Measured on three real plates of
    six elements, the root mean square of all values about the readings' centre was 2.3, 1.5, 1.2 and 1.2 scales after
    2, 4, 8 and 13 films; without this factor early intervals are too narrow, however the rest is averaged.
    """
    return 1.0 + UNSEEN / films
