"""All that a `FilmGP` is made of, as arrays: what its checkpoint stores and what two processes must agree on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from hashlib import sha256
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.dataset import Dataset
from models.errors import IncompatibleCheckpoint, InvalidDataset, NotEnoughData
from models.problem import Problem
from models.surrogates.evidence import Readings
from models.surrogates.hyperparameters import Hyperparameters
from models.surrogates.noise_basis import PLACES, noise_centres, reading_features
from models.surrogates.replicates import shrunk
from models.surrogates.scaling import (
    LARGEST,
    group_totals,
    source_names,
    space_ranges,
    total_ranges,
    units_with_prior,
    with_totals,
)
from models.surrogates.settling import Settled
from models.surrogates.yield_model import YieldModel, devices_seen

Array = NDArray[np.float64]

STATED_DEGREES = 4.0
"""An instrument's own standard uncertainty is believed as if it came from five readings."""
FAR_FROM_TYPICAL = 100.0
"""Times the median of all stated variances, beyond which one says nothing of the others: a reading that failed."""
SAYS_NOTHING = 1e12
"""Largest variance of a reading, in standardised units: it says as little as an infinite one, and can be squared."""
LOUDEST = 1e6
"""Stated variance, in standardised units, beyond which it says nothing of the others either: a thousand times the
readings' own spread."""
SHORTEST_SPAN = 1e-6
"""Least span of a campaign, in s: all readings at one time."""


@dataclass(frozen=True)
class FilmGPState:
    """All that a fitted model is, enough to build it again bit by bit: m objectives, n readings, D = d + p + g columns.

    The last g of them are totals of groups of elements: `scaling.py`.
    """

    lower: Array
    """`D` least values of the columns."""
    width: Array
    """`D` widths of the columns."""
    X: Array
    """`n x (d + p)` device points."""
    Y: Array
    """`n x m` maximised readings in physical units; NaN where there is none."""
    Yvar: Array
    """`n x m` their variances; NaN where the noise is inferred."""
    film: NDArray[np.intp]
    """`n` film numbers."""
    centre: Array
    """`m` values that are 0 in standardised units."""
    scale: Array
    """`m` values per standardised unit."""
    hyperparameters: tuple[Hyperparameters, ...]
    """One per objective."""
    fitted: NDArray[np.intp]
    """`m` numbers of readings to which the hyperparameters were fitted, prior data left out."""

    positions: Array = field(default_factory=lambda: np.empty(0))
    """`n` positions along the films; NaN where unknown. Empty: all unknown."""
    times: Array = field(default_factory=lambda: np.empty(0))
    """`n` measurement times in s. Empty: not known."""
    calibration: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    """`n`: whether `film` numbers a calibration sample. Empty: none does."""
    replicates: Array = field(default_factory=lambda: np.empty((0, 0)))
    """`n x m` raw readings behind each mean. Empty: one each."""
    added: Array = field(default_factory=lambda: np.empty((0, 0)))
    """`n x m` variances that an error of the composition adds, in physical units. Empty: none."""
    censored: NDArray[np.int8] = field(default_factory=lambda: np.empty((0, 0), dtype=np.int8))
    """`n x m`, of maximised readings: 1 where the true value is at least Y, -1 where it is at most. Empty: nowhere."""
    dead: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    """`n` devices that do not work. Empty: none."""
    inflation: Array = field(default_factory=lambda: np.empty((0, 0)))
    """`n x m` factors of the variances, large where a reading is held for an outlier. Empty: all 1."""
    site: Array = field(default_factory=lambda: np.empty((0, 0)))
    """`n x m` pseudo-readings in physical units, NaN where Y says what it says. Empty: all NaN."""
    site_variance: Array = field(default_factory=lambda: np.empty((0, 0)))
    """`n x m` variances of the pseudo-readings, in physical units."""
    composition_error: Array = field(default_factory=lambda: np.empty(0))
    """Standard deviation of a measured fraction, and the number of fractions d. Empty: fractions are right."""
    clock: Array = field(default_factory=lambda: np.array([0.0, 1.0]))
    """Time from which drift is counted, the first of a calibration sample, and the span of all times, in s."""
    noise_centres: Array = field(default_factory=lambda: np.empty((0, 0)))
    """`B x (d + p)` centres of the noise features; none where the noise is the same everywhere."""
    noise_doubt: Array = field(default_factory=lambda: np.empty((0, 0, 0)))
    """`m x (B + P) x (B + P)` covariances of the weights of the noise. Empty: they are taken as certain."""
    averaged: tuple[tuple[Hyperparameters, ...], ...] = ()
    """Per objective, equally likely sets; empty where `hyperparameters` speak alone."""
    source: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    """`n` numbers of the sources of prior data, -1 for own readings. Empty: all are own."""
    source_keys: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """`S` keys by which hyperparameters find their source again."""
    totals: Array = field(default_factory=lambda: np.empty((0, 0)))
    """`g x d`, 1 where an element belongs to a group whose total is a column. Empty: none is."""

    def sets(self, column: int) -> tuple[Hyperparameters, ...]:
        """The equally likely hyperparameters of objective `column`, one at least."""
        return self.averaged[column] if self.averaged else (self.hyperparameters[column],)

    def readings(self, column: int) -> Readings:
        """Objective `column` as the evidence sees it: wild readings count for less, one-sided ones by what they say."""
        return self.settled(column).applied(self.raw_readings(column))

    def settled(self, column: int) -> Settled:
        """How the readings of objective `column` enter the evidence."""
        raw, side = self.raw_readings(column), self.sides(column)
        if not self.inflation.size:
            return Settled.unsettled(raw, side)
        read, scale = ~np.isnan(self.Y[:, column]), self.scale[column]
        return Settled(
            self.inflation[read, column],
            (self.site[read, column] - self.centre[column]) / scale,
            self.site_variance[read, column] / scale**2,
        )

    def sides(self, column: int) -> NDArray[np.int8]:
        """1 where the true value is at least what was read, -1 where it is at most, 0 elsewhere; only what was read."""
        read = ~np.isnan(self.Y[:, column])
        return self.censored[read, column] if self.censored.size else np.zeros(int(read.sum()), dtype=np.int8)

    def with_settled(self, columns: Sequence[Settled]) -> Self:
        """The same, with what was settled for each objective."""
        inflation, site, variance = np.ones(self.Y.shape), np.full(self.Y.shape, np.nan), np.full(self.Y.shape, np.nan)
        for k, settled in enumerate(columns):
            read = ~np.isnan(self.Y[:, k])
            inflation[read, k] = settled.inflation
            site[read, k] = self.centre[k] + self.scale[k] * settled.site
            variance[read, k] = self.scale[k] ** 2 * settled.site_variance
        return replace(self, inflation=inflation, site=site, site_variance=variance)

    def raw_readings(self, column: int) -> Readings:
        """Objective `column` as it was read, scaled and standardised."""
        read = ~np.isnan(self.Y[:, column])
        material, film = ~self.calibrations()[read], self.film[read]
        y = (self.Y[read, column] - self.centre[column]) / self.scale[column]
        with np.errstate(over="ignore"):
            known = np.minimum(self.Yvar[read, column] / self.scale[column] ** 2, SAYS_NOTHING)
        # The point of a calibration sample counts for nothing; its readings are about a constant of its own.
        x = np.where(material[:, None], self.scaled(self.X[read]), 0.0)
        for number in np.unique(film[~material]):
            y[film == number] -= y[film == number].mean()
        source, levels = self.sources()[read], self.levels(column)
        y -= np.where(source >= 0, np.append(levels, 0.0)[source], 0.0)
        replicates = self.replicates[read, column] if self.replicates.size else np.ones(len(y))
        stated, degrees = _stated(known, replicates)
        return Readings(
            x=x,
            y=y,
            known_variance=shrunk(known, replicates),
            film=film,
            added=self.added[read, column] / self.scale[column] ** 2 if self.added.size else 0.0,
            features=self._features(self.plain(x), read, material),
            # The drift of other instruments is none of the campaign's: at time 0 there is none.
            time=np.where(source >= 0, 0.0, (self.times[read] - self.clock[0]) / self.clock[1])
            if self.times.size
            else None,
            sample=None if material.all() else np.where(material, -1, film),
            stated=stated,
            degrees=degrees,
            source=source if self.source_keys.size else None,
        )

    def levels(self, column: int) -> Array:
        """`S` medians of the sources' readings of objective `column`, standardised; 0 of one without any."""
        read = ~np.isnan(self.Y[:, column])
        y = (self.Y[read, column] - self.centre[column]) / self.scale[column]
        of = [y[self.sources()[read] == s] for s in range(len(self.source_keys))]
        return np.array([float(np.median(values)) if len(values) else 0.0 for values in of])

    @cached_property
    def yield_model(self) -> YieldModel | None:
        """What living and dead devices say of others; None where no device ever died."""
        if not self.dead.any():
            return None
        made = np.flatnonzero(~self.calibrations() & (self.sources() < 0) & (self.dead | ~np.isnan(self.Y).all(1)))
        positions = self.positions[made] if self.positions.size else np.full(len(made), np.nan)
        first, alive = devices_seen(self.X[made], self.film[made], positions, self.dead[made])
        return YieldModel.fit(self.plain(self.scaled(self.X[made][first])), positions[first], alive)

    def calibrations(self) -> NDArray[np.bool_]:
        """`n`: whether each row is of a calibration sample."""
        return self.calibration if self.calibration.size else np.zeros(len(self.X), dtype=bool)

    def sources(self) -> NDArray[np.intp]:
        """`n` numbers of the sources of prior data, -1 for own readings."""
        return self.source if self.source.size else np.full(len(self.X), -1, dtype=np.intp)

    def scaled(self, X: Array) -> Array:
        """All columns of device points (j x (d + p)) in widths of the search space, `j x D`."""
        return np.asarray((with_totals(X, self.totals) - self.lower) / self.width)

    def plain(self, x: Array) -> Array:
        """The columns of `scaled` points that are no totals, `j x (d + p)`: what yield and noise depend on."""
        return x[:, : self.X.shape[1]]

    def _features(self, x: Array, read: NDArray[np.bool_], material: NDArray[np.bool_]) -> Array | None:
        """`j x B` features of the noise of the rows read, 0 for calibration samples; None if it varies nowhere."""
        if not self.noise_centres.size:
            return None
        features = reading_features(x, self.noise_centres, self.positions[read] if self.positions.size else None)
        return np.where(material[:, None], features, 0.0)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The state as named arrays, for a checkpoint."""
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("hyperparameters", "averaged")}
        named |= {"theta": self._rows(self.hyperparameters)}
        if self.averaged:
            named |= {"averaged": np.stack([self._rows(sets) for sets in self.averaged])}
        return named

    def _rows(self, sets: tuple[Hyperparameters, ...]) -> Array:
        """One row of numbers per set."""
        most = max(len(h.noise_weights) for h in self.hyperparameters)
        return np.stack([h.padded(most).natural() for h in sets])

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """The inverse of `arrays`.

        Raises:
            IncompatibleCheckpoint: If an array is missing or of the wrong shape.
        """
        try:
            columns, sources = len(arrays["lower"]), len(arrays.get("source_keys", ()))
            parts = {k: v for k, v in arrays.items() if k not in ("theta", "averaged")}
            sets = [
                tuple(Hyperparameters.from_natural(row, columns, sources) for row in rows)
                for rows in (arrays["theta"], *arrays.get("averaged", ()))
            ]
            return cls(**parts, hyperparameters=sets[0], averaged=tuple(sets[1:]))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise IncompatibleCheckpoint(f"not a film_gp: {error}") from error

    @classmethod
    def unfitted(cls, problem: Problem, dataset: Dataset) -> Self:
        """Readings and units, before any fit.

        Raises:
            NotEnoughData: If an objective was read at fewer than two distinct points.
            InvalidDataset: If a reading is too large to be squared.
        """
        Y = np.column_stack([o.to_modelled(y) for o, y in zip(problem.properties, dataset.Y.T, strict=True)])
        sides = [o.to_modelled(c) for o, c in zip(problem.properties, dataset.censored.astype(float).T, strict=True)]
        censored = np.column_stack(sides).astype(np.int8)
        read = zip(problem.properties, Y.T, censored.T, strict=True)
        units = [_units(o.property, y, side, dataset) for o, y, side in read]
        ranges = zip(space_ranges(problem.space), total_ranges(problem.space), strict=True)
        lower, width = (np.concatenate(both) for both in ranges)
        own = ~dataset.is_prior()
        names = source_names(dataset)
        return cls(
            lower=lower,
            width=width,
            X=dataset.X,
            Y=Y,
            Yvar=dataset.Yvar,
            film=film_numbers(dataset),
            centre=np.array([centre for centre, _ in units]),
            scale=np.array([scale for _, scale in units]),
            hyperparameters=(),
            fitted=(~np.isnan(Y[own])).sum(0),
            positions=dataset.positions,
            times=dataset.times,
            calibration=dataset.calibration,
            replicates=dataset.replicates,
            censored=censored,
            dead=dataset.dead,
            clock=_clock(dataset.take(own)),
            source=np.searchsorted(["", *names], dataset.sources) - 1 if names else np.empty(0, dtype=np.intp),
            source_keys=np.array([source_key(name) for name in names], dtype=np.int64),
            totals=group_totals(problem.space),
        )

    def with_noise_centres(self) -> Self:
        """The same, with features of the noise at the readings of this state."""
        return replace(self, noise_centres=noise_centres(self.plain(self.scaled(self.X))[~self.calibrations()]))

    def doubt(self, column: int) -> Array:
        """`(B + P) x (B + P)` covariance of the weights of the noise of objective `column`."""
        none = np.zeros((len(self.noise_centres) + len(PLACES),) * 2)
        return self.noise_doubt[column] if self.noise_doubt.size else none

    def drifts(self, column: int) -> bool:
        """Whether a calibration sample was read at two times or more: without one, drift is a film's offset."""
        read = self.calibrations() & ~np.isnan(self.Y[:, column])
        return any(np.ptp(self.times[read & (self.film == s)]) > 0.0 for s in np.unique(self.film[read]))


def _clock(own: Dataset) -> Array:
    """Time from which drift is counted, and the span of all times, in s."""
    if not len(own):
        return np.array([0.0, 1.0])
    first = own.times[own.calibration].min() if own.calibration.any() else own.times.min()
    return np.array([first, max(float(np.ptp(own.times)), SHORTEST_SPAN)])


def source_key(name: str) -> int:
    """A number that stands for the name of a source."""
    return int.from_bytes(sha256(name.encode()).digest()[:7], "big")


def film_numbers(dataset: Dataset) -> NDArray[np.intp]:
    """Number of each row's film or calibration sample, `n`; a sample and a film may have the same name."""
    names = np.char.add(np.where(dataset.calibration, "sample ", "film "), dataset.films)
    return np.unique(names, return_inverse=True)[1].reshape(-1)


def _units(name: str, y: Array, side: NDArray[np.int8], dataset: Dataset) -> tuple[float, float]:
    """Centre and scale of one column of maximised readings; calibration samples have no part in them.

    A one-sided reading counts as its limit here, but cannot stand for one of the two points that a model needs.
    """
    read = ~np.isnan(y) & ~dataset.calibration
    own = read & (side == 0)
    distinct = len(np.unique(dataset.X[own], axis=0))
    if distinct < 2:
        found = f"{own.sum()} readings of {name} at {distinct} distinct points"
        raise NotEnoughData(f"{found}; at least 2 points are needed")
    if np.abs(y[read]).max() > LARGEST:
        raise InvalidDataset(f"a reading of {y[read][np.abs(y[read]).argmax()]:g} is larger than {LARGEST:g}")
    elsewhere = [y[read & (dataset.sources == name)] for name in source_names(dataset)]
    here = read & ~dataset.is_prior()
    return units_with_prior(
        y[here], len(np.unique(dataset.films[here])), [values for values in elsewhere if len(values)]
    )


def _stated(known: Array, replicates: Array) -> tuple[Array, Array]:
    """What known variances say of the noise: s^2 of one reading and its degrees of freedom, `n` each.

    Replicates always do. What an instrument states as its own does where it is all there is: beside readings that
    show their scatter themselves it may leave out what makes devices differ. One that is far larger than most is of a
    reading that failed, and would be all that is learned.
    """
    repeated = (replicates >= 2.0) & (known > 0.0)
    degrees = np.where(repeated, replicates - 1.0, 0.0)
    if not np.isnan(known).any():
        degrees = np.where(repeated | (known <= 0.0), degrees, STATED_DEGREES)
    variance = np.where(np.isnan(known), 0.0, known * np.where(repeated, replicates, 1.0))
    typical = np.median(variance[degrees > 0.0]) if degrees.any() else 0.0
    return variance, np.where(variance > min(FAR_FROM_TYPICAL * typical, LOUDEST), 0.0, degrees)
