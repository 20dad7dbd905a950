"""What each element does to the property: its change when there is more of that element at the expense of all others.

Fractions cannot change alone. One more atomic percent of element k takes from the others in proportion, so that their
ratios stay:

    x(t) = t e_k + (1 - t) (x - x_k e_k) / (1 - x_k),      change_k(x) = f(x(t + 0.01)) - f(x(t))          (1)

with t half a percent below x_k, but not below 0 nor above 0.99. For a process variable it is the change per unit. Both
are taken at feasible compositions that cover the space; the changes are jointly normal, and what is said of them
carries their uncertainty.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.composition import TOLERANCE, ContinuousVariable, SearchSpace
from models.surrogates.conditioning import Conditioning
from models.surrogates.posterior_map import feasible_points, middle_process

Array = NDArray[np.float64]

POINTS = 64
"""Most compositions at which the changes are taken."""
DRAWS = 256
"""Joint draws of the changes, shared by all sets of hyperparameters."""
PERCENT = 0.01
SURE = 0.95
"""Probability from which on the sign of a change counts as known."""
JITTER = 1e-9
"""On the covariance of the changes, relative to its mean."""


@dataclass(frozen=True)
class Step:
    """One way to change a device."""

    variable: str
    per: str
    """What one step is, in words."""
    before: Array
    """`j x (d + p)` device points."""
    after: Array
    size: float = 1.0
    """Steps between them, in units of `per`."""


def steps(space: SearchSpace) -> Iterator[Step]:
    """Every element and continuous process variable of a space, at feasible compositions and mid process."""
    points, process = feasible_points(space, POINTS), middle_process(space)
    rest = np.tile(process, (len(points), 1))
    for k, element in enumerate(space.elements):
        some = points[:, k] < 1.0 - TOLERANCE  # a pure element has no others whose ratios could stay
        if not some.any():
            continue
        x, tail = points[some], rest[some]
        start = np.clip(x[:, k] - PERCENT / 2, 0.0, 1.0 - PERCENT)
        before, after = (np.hstack([towards(x, k, t), tail]) for t in (start, start + PERCENT))
        yield Step(element, "at.%", before, after)
    for name, column, variable in _continuous(space):
        low, high = np.hstack([points, rest]), np.hstack([points, rest])
        low[:, space.dimension + column], high[:, space.dimension + column] = 0.25, 0.75
        yield Step(name, variable.unit, low, high, 0.5 * (variable.upper - variable.lower))


def towards(x: Array, k: int, fraction: Array) -> Array:
    """Compositions (j x d) with `fraction` (j) of element k, the ratios of all others as they were: eq. (1)."""
    moved = x * ((1.0 - fraction) / (1.0 - x[:, k]))[:, None]
    moved[:, k] = fraction
    return moved


def sensitivity(
    step: Step, sets: Sequence[Conditioning], scaled: Callable[[Array], Array], unit: float
) -> dict[str, Any]:
    """How the property changes with one step, in words-ready numbers.

    Args:
        step: The change of the devices.
        sets: The posterior of f under each of the equally likely sets of hyperparameters.
        scaled: From device points (j x (d + p)) to the columns of the posterior, `FilmGPState.scaled`.
        unit: Physical units per standardised one, with the sign that leads to the property's own direction.

    Returns:
        Mean change and mean size of the change over the compositions with their standard deviations, and the shares
        of the compositions where the property surely rises or falls.
    """
    before, after = scaled(step.before), scaled(step.after)
    share = -(-DRAWS // len(sets))
    changes = np.vstack([_draws(c, before, after, share, number) for number, c in enumerate(sets)])
    changes *= unit / step.size
    sizes = np.abs(changes).mean(1)
    rising = (changes > 0.0).mean(0)
    return {
        "variable": step.variable,
        "per": step.per,
        "change": float(changes.mean()),
        "change_sd": float(changes.mean(1).std()),
        "size": float(sizes.mean()),
        "size_sd": float(sizes.std()),
        "rises_at": float((rising >= SURE).mean()),
        "falls_at": float((rising <= 1.0 - SURE).mean()),
    }


def change_moments(c: Conditioning, before: Array, after: Array) -> tuple[Array, Array]:
    """Mean (j) and covariance (j x j) of the changes of f between points in widths of the search space."""
    half = c.half(after) - c.half(before)
    prior = c.prior(after, after) - c.prior(after, before) - c.prior(before, after) + c.prior(before, before)
    return half @ c.whitened, prior - half @ half.T


def _draws(c: Conditioning, before: Array, after: Array, count: int, seed: int) -> Array:
    mean, covariance = change_moments(c, before, after)
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    root = vectors * np.sqrt(np.maximum(values, JITTER * max(float(values.max()), 0.0)))
    normal = np.random.default_rng(seed).standard_normal((count // 2 + 1, len(mean)))
    return np.asarray(mean + np.vstack([normal, -normal])[:count] @ root.T)


def _continuous(space: SearchSpace) -> Iterator[tuple[str, int, ContinuousVariable]]:
    """Name, process column and definition of each continuous process variable."""
    column = 0
    for variable in space.process:
        if isinstance(variable, ContinuousVariable):
            yield variable.name, column, variable
            column += 1
        else:
            column += len(variable.choices)
