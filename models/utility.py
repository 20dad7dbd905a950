"""What a value of a property is worth: the larger the better, or the nearer to a target.

A property is modelled as it is read, up to a sign; what is made of its values comes after the model. With v a value as
modelled, t the target and tau the tolerance, both of the property's own unit,

    u(v) = v                                  the larger the better                                        (1)
    u(v) = -max(0, |v - t| - tau)             a target: all within its tolerance is equally good           (2)

For v ~ N(m, s^2) the mean of (2) needs no draws. With h(z) = z Phi(z) + phi(z), the mean excess of N(z, 1) over 0,

    E[u(v)] = -s [ h((m - t - tau) / s) + h((t - tau - m) / s) ]                                            (3)

and u(v) exceeds a level c < 0 by as much as v lies within t -+ (tau - c), up to -c:

    E[max(0, u(v) - c)] = e(t - tau + c) - e(t - tau) - e(t + tau) + e(t + tau - c),  e(b) = s h((m - b) / s)  (4)

A model of |v - t| instead would have a kink along every curve where the target is met, and would not know on which side
of it a reading lies. Source: Astudillo and Frazier 2019, Bayesian optimization of composite functions (PMLR 97, 354).
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]
Values = TypeVar("Values")
"""Arrays of NumPy or tensors of torch: eq. (1) and (2) are written in what both understand."""


@dataclass(frozen=True)
class Larger:
    """Eq. (1): a value is worth itself."""

    def of(self, values: Values) -> Values:
        """Eq. (1)."""
        return values

    def expected(self, mean: Array, sd: Array) -> Array:
        """Its mean of normal values."""
        del sd
        return mean

    def slope(self, mean: float, sd: float) -> tuple[float, float]:
        """How that mean changes with the mean and with the deviation of a value."""
        del mean, sd
        return 1.0, 0.0

    def hoped(self, mean: Array, sd: Array, deviations: float) -> Array:
        """What values are worth that lie so many deviations on the better side of their mean."""
        return np.asarray(mean + deviations * sd)

    def standardised(self, centre: float, scale: float) -> "Larger":
        """The same of (v - centre) / scale, in units of `scale`."""
        del centre, scale
        return self

    def standardised_worth(self, worth: float, centre: float, scale: float) -> float:
        """What a worth of v is to the standardised utility."""
        return (worth - centre) / scale

    def improvement(self, mean: Array, sd: Array, over: float) -> Array:
        """Mean excess of what normal values are worth over a level."""
        return excess(mean, sd, over)


@dataclass(frozen=True)
class Nearer:
    """Eq. (2): a value is worth the less the farther it is from a target."""

    target: float
    tolerance: float

    def of(self, values: Values) -> Values:
        """Eq. (2); never above 0."""
        return _nearness(values, self.target, self.tolerance)

    def expected(self, mean: Array, sd: Array) -> Array:
        """Eq. (3)."""
        above = excess(mean, sd, self.target + self.tolerance)
        return -(above + excess(-mean, sd, self.tolerance - self.target))

    def slope(self, mean: float, sd: float) -> tuple[float, float]:
        """How eq. (3) changes with the mean and with the deviation of a value, which has to be above 0."""
        above = (mean - self.target - self.tolerance) / sd
        below = (self.target - self.tolerance - mean) / sd
        density = np.exp(-0.5 * np.square([above, below])).sum() / np.sqrt(2.0 * np.pi)
        return float(ndtr(below) - ndtr(above)), -float(density)

    def hoped(self, mean: Array, sd: Array, deviations: float) -> Array:
        """What values are worth that lie as near to the target as so many deviations allow."""
        return _nearness(mean, self.target, self.tolerance + deviations * sd)

    def standardised(self, centre: float, scale: float) -> "Nearer":
        """The same of (v - centre) / scale, in units of `scale`: a tolerance is a difference, which no centre moves."""
        return Nearer((self.target - centre) / scale, self.tolerance / scale)

    def standardised_worth(self, worth: float, centre: float, scale: float) -> float:
        """What a worth of v is to the standardised utility: a distance."""
        del centre
        return worth / scale

    def improvement(self, mean: Array, sd: Array, over: float) -> Array:
        """Eq. (4); 0 over a level that cannot be exceeded."""
        if over >= 0.0:
            return np.zeros_like(mean)
        low, high = self.target - self.tolerance, self.target + self.tolerance
        below = excess(mean, sd, low + over) - excess(mean, sd, low)
        above = excess(mean, sd, high - over) - excess(mean, sd, high)
        return np.asarray(np.maximum(below + above, 0.0))

    def chance(self, mean: Array, sd: Array) -> Array:
        """Probability of normal values to lie within the tolerance; where the deviation is 0, whether the mean does."""
        return chance_between(mean, sd, self.target - self.tolerance, self.target + self.tolerance)


Utility = Larger | Nearer
LARGER = Larger()


def _nearness(values: Values, target: float, tolerance: float | Array) -> Values:
    """Eq. (2)."""
    v: Any = values
    worth: Values = -(abs(v - target) - tolerance).clip(0.0)
    return worth


def chance_between(mean: Array, sd: Array, lower: float, upper: float) -> Array:
    """Probability of normal values to lie between two limits; where the deviation is 0, whether the mean does."""
    spread = np.maximum(sd, np.finfo(np.float64).tiny)
    with np.errstate(over="ignore"):
        return np.asarray(ndtr((upper - mean) / spread) - ndtr((lower - mean) / spread))


def excess(mean: Array, sd: Array, over: float) -> Array:
    """E[max(0, v - over)] of normal values, s h((m - over) / s); where the deviation is 0, what the mean says."""
    better = mean - over
    spread = np.maximum(sd, np.finfo(np.float64).tiny)
    with np.errstate(over="ignore"):
        z = better / spread
        return np.where(
            sd > 0.0, better * ndtr(z) + sd * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi), np.maximum(better, 0.0)
        )
