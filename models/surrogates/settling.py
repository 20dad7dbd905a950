"""From raw readings to those that enter the evidence: wild ones count for less, one-sided ones as pseudo-readings.

Which readings are wild and what a saturated one says depends on what all others say, and so on the hyperparameters;
for given ones both are sought in turn until they stand still.
"""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.surrogates.censoring import VAGUE, one_sided_sites
from models.surrogates.evidence import Evidence, Readings, cholesky, symmetric_inverse
from models.surrogates.hyperparameters import Hyperparameters
from models.surrogates.outliers import HELD, cavity, inflation

Array = NDArray[np.float64]

TOGETHER = 1000
"""Most readings that are weighed together. More are dealt out, film by film, to parts that each cover the space: what
holds a reading for wild are the readings around it, and the cost grows with the cube."""
ROUNDS = 6
"""Most times that wild and one-sided readings are looked at in turn."""
STILL = 0.02
"""They stand still when no log inflation, and no pseudo-reading in its standard deviations, moves by more."""


@dataclass(frozen=True)
class Settled:
    """How n readings of one objective enter the evidence; standardised units."""

    inflation: Array
    """`n` factors of the variances: 1 where a reading is believed."""
    site: Array
    """`n` pseudo-readings; NaN where a reading says what it says."""
    site_variance: Array
    """`n` variances of the pseudo-readings; NaN elsewhere."""

    @classmethod
    def unsettled(cls, raw: Readings, side: NDArray[np.int8]) -> Self:
        """Every reading believed, one-sided ones (`side` not 0) left out by a variance that says nothing."""
        one_sided = side != 0
        return cls(np.ones(len(raw.y)), np.where(one_sided, raw.y, np.nan), np.where(one_sided, VAGUE, np.nan))

    def applied(self, raw: Readings) -> Readings:
        """The readings as the evidence sees them."""
        own = np.isnan(self.site)
        return replace(
            raw,
            y=np.where(own, raw.y, self.site),
            known_variance=np.where(own, raw.known_variance, self.site_variance),
            inflation=self.inflation,
        )

    def held(self) -> NDArray[np.bool_]:
        """`n`: which readings are named as outliers."""
        return self.inflation > HELD

    def change(self, before: "Settled") -> float:
        """How far anything moved."""
        moved = np.abs(np.log(self.inflation / before.inflation))
        sites = np.abs(self.site - before.site) / np.sqrt(self.site_variance)
        sites = sites + np.abs(np.log(self.site_variance / before.site_variance))
        return float(max(moved.max(initial=0.0), np.nan_to_num(sites).max(initial=0.0)))


def settle(raw: Readings, side: NDArray[np.int8], h: Hyperparameters, start: Settled, *, robust: bool) -> Settled:
    """Weigh the readings at given hyperparameters.

    Args:
        raw: The readings as they were taken.
        side: `n`: +1 where the true value is at least the reading, -1 where it is at most, 0 elsewhere.
        h: Hyperparameters.
        start: Where to begin.
        robust: Whether readings may be wild.

    Returns:
        How they enter the evidence.

    Raises:
        FitFailed: If the covariance of the readings has no Cholesky factor.
    """
    parts = _dealt(raw.film)
    if len(parts) == 1:
        return _settle(raw, side, h, start, robust=robust)
    inflation, site, variance = start.inflation.copy(), start.site.copy(), start.site_variance.copy()
    for rows in parts:
        begun = Settled(inflation[rows], site[rows], variance[rows])
        found = _settle(_rows(raw, rows), side[rows], h, begun, robust=robust)
        inflation[rows], site[rows], variance[rows] = found.inflation, found.site, found.site_variance
    return Settled(inflation, site, variance)


def _dealt(film: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Rows of as many parts as it takes, whole films each."""
    parts = -(-len(film) // TOGETHER)
    number = np.unique(film, return_inverse=True)[1].reshape(-1)
    return [rows for k in range(parts) if len(rows := np.flatnonzero(number % parts == k))]


def _rows(raw: Readings, rows: NDArray[np.intp]) -> Readings:
    """Some of the readings."""
    parts = {f.name: getattr(raw, f.name) for f in fields(raw)}
    return Readings(**{name: part[rows] if isinstance(part, np.ndarray) else part for name, part in parts.items()})


def _settle(raw: Readings, side: NDArray[np.int8], h: Hyperparameters, start: Settled, *, robust: bool) -> Settled:
    now = start
    for _ in range(ROUNDS):
        before = now
        if side.any():
            now = _with_sites(raw, side, h, now)
        if robust:
            now = replace(now, inflation=_inflation(raw, h, now))
        if now.change(before) < STILL:
            break
    return now


def _inflation(raw: Readings, h: Hyperparameters, settled: Settled) -> Array:
    """What the others say against each reading; nothing against one-sided ones."""
    data = settled.applied(raw)
    inverse = symmetric_inverse(cholesky(Evidence(data).covariance(h)[0]))
    residual, latent = cavity(inverse, data.y, data.noise(h))
    found = inflation(residual, latent, replace(data, inflation=1.0).noise(h))
    return np.where(np.isnan(settled.site), found, 1.0)


def _with_sites(raw: Readings, side: NDArray[np.int8], h: Hyperparameters, settled: Settled) -> Settled:
    """New pseudo-readings for the one-sided readings, given all others."""
    data, q = settled.applied(raw), side != 0
    total = Evidence(data).covariance(h)[0].copy()
    total[np.diag_indices_from(total)] -= np.where(q, data.noise(h), 0.0)
    factor = cholesky(total[np.ix_(~q, ~q)])
    half = np.linalg.solve(factor, np.column_stack([total[np.ix_(~q, q)], data.y[~q]]))
    mean, covariance = half[:, :-1].T @ half[:, -1], total[np.ix_(q, q)] - half[:, :-1].T @ half[:, :-1]
    site, variance = one_sided_sites(mean, covariance, raw.y[q], side[q].astype(np.float64), raw.noise(h)[q])
    sites, variances = settled.site.copy(), settled.site_variance.copy()
    sites[q], variances[q] = site, variance
    return replace(settled, site=sites, site_variance=variances)
