"""From a dataset to the fitted state of a `FilmGP`, objective by objective."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np

from models.dataset import Dataset, joined
from models.problem import Problem
from models.surrogates.averaging import Averaging, sets_for
from models.surrogates.composition_error import with_composition_error
from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.fitting import Fit, starts_for
from models.surrogates.hyperparameters import Hyperparameters, Layout
from models.surrogates.noise_basis import carried_weights
from models.surrogates.noise_fitting import weight_covariance
from models.surrogates.prior_data import FITTED as PRIOR_FITTED
from models.surrogates.prior_data import thinned
from models.surrogates.robust_fitting import RobustFit, SettledFit
from models.surrogates.settling import settle

UNITS = ("lower", "width", "totals", "centre", "scale", "clock")
KEPT = (*UNITS, "hyperparameters", "averaged", "fitted", "noise_centres", "noise_doubt")
"""What a state that was fitted lends to other readings."""
FITTED = 1200
"""Most readings of a property to which hyperparameters are fitted; more hardly move them, and a fit grows with the
cube."""


def fit_state(
    problem: Problem,
    dataset: Dataset,
    *,
    seed: int,
    previous: FilmGPState | None,
    progress: Callable[[str], None],
) -> tuple[FilmGPState, list[Fit]]:
    """Fit the hyperparameters of every objective, to some of the films where it has more than `FITTED` readings.

    Args:
        problem: Search space, directions, options of the surrogate.
        dataset: Canonical readings in the objectives' own units.
        seed: Seed of the random starts.
        previous: An earlier fit on the same columns, from which the search starts.
        progress: Called at each evaluation of the evidence; may raise to stop.

    Returns:
        The state with its hyperparameters, and what each objective's fit took.

    Raises:
        NotEnoughData: If an objective was read at fewer than two distinct points.
        FitFailed: If the evidence has no finite value anywhere.
    """
    part = some_films(dataset)
    state, fits = _fit(problem, part, seed=seed, previous=previous, progress=progress)
    if part is dataset:
        return state, fits
    progress("condition")
    state = condition_state(problem, dataset, state)
    return replace(state, fitted=FilmGPState.unfitted(problem, dataset).fitted), fits


def some_films(dataset: Dataset) -> Dataset:
    """All of a small dataset; of a large one, per property, whole films of `FITTED` readings or a few more.

    Films are taken in the order of a digest of their names: as good as at random, and as readings arrive the same films
    are taken again, so that the hyperparameters do not jump. Each property counts for itself: one that was read on few
    films keeps them all. Every calibration is kept; of prior data as much as `prior_data.thinned` leaves.
    """
    own = ~dataset.is_prior()
    if not own.all():
        few = some_films(dataset.take(own))
        prior = dataset.take(thinned(dataset, PRIOR_FITTED) & ~own)
        if len(few) + len(prior) == len(dataset):
            return dataset
        return joined([few, prior]).canonical()
    read = ~np.isnan(dataset.Y)
    if read.sum(0).max(initial=0) <= FITTED:
        return dataset
    films, number = np.unique(dataset.films, return_inverse=True)
    number = number.reshape(-1)
    size = np.zeros((len(films), read.shape[1]), dtype=np.intp)
    np.add.at(size, number, read & ~dataset.calibration[:, None])
    order = np.argsort([sha256(name.encode()).hexdigest() for name in films.tolist()], kind="stable")
    taken = np.zeros(size.shape, dtype=bool)
    taken[order] = np.cumsum(size[order], axis=0) - size[order] < FITTED
    kept = read & (taken[number] | dataset.calibration[:, None])
    return replace(dataset, Y=np.where(kept, dataset.Y, np.nan)).take(np.flatnonzero(kept.any(1)))


def _fit(
    problem: Problem,
    dataset: Dataset,
    *,
    seed: int,
    previous: FilmGPState | None,
    progress: Callable[[str], None],
) -> tuple[FilmGPState, list[Fit]]:
    """`fit_state` to every reading."""
    state = FilmGPState.unfitted(problem, dataset)
    if problem.surrogate.noise.heteroscedastic:
        state = state.with_noise_centres()
    warm = [None if previous is None else _carried(previous, state, k) for k in range(state.Y.shape[1])]
    column = _ColumnFit(problem, seed, progress)
    fits = [column(state, k, before) for k, before in enumerate(warm)]
    sd = problem.surrogate.noise.composition_sd
    if sd > 0.0:
        state = with_composition_error(_fitted(state, fits), problem.space.dimension, sd)
        fits = [column(state, k, found.fit.hyperparameters, starts=1) for k, found in enumerate(fits)]
    state = with_composition_error(_fitted(state, fits), problem.space.dimension, sd)
    if state.noise_centres.size:
        doubt = [weight_covariance(state.readings(k), h) for k, h in enumerate(state.hyperparameters)]
        state = replace(state, noise_doubt=np.stack(doubt))
    return replace(state, averaged=column.averaged(state)), [found.fit for found in fits]


def condition_state(problem: Problem, dataset: Dataset, fitted: FilmGPState) -> FilmGPState:
    """The hyperparameters and units of one state on other readings: no fit.

    Raises:
        NotEnoughData: If an objective was read at fewer than two distinct points.
        FitFailed: If the covariance of the readings has no Cholesky factor.
    """
    state = replace(FilmGPState.unfitted(problem, dataset), **{name: getattr(fitted, name) for name in KEPT})
    state = replace(
        state,
        hyperparameters=tuple(_of_sources(h, fitted, state) for h in state.hyperparameters),
        averaged=tuple(tuple(_of_sources(h, fitted, state) for h in sets) for sets in state.averaged),
    )
    robust = problem.surrogate.noise.outliers != "none"
    state = state.with_settled(
        [
            settle(state.raw_readings(k), state.sides(k), h, state.settled(k), robust=robust)
            for k, h in enumerate(state.hyperparameters)
        ]
    )
    return with_composition_error(state, problem.space.dimension, problem.surrogate.noise.composition_sd)


def layout_of(problem: Problem, state: FilmGPState, column: int) -> Layout:
    """Which parameters objective `column` has, but for noise that varies."""
    drift = problem.surrogate.noise.drift and state.drifts(column)
    return Layout(
        len(state.lower),
        film_effect=problem.surrogate.film_effect,
        drift=drift,
        elements=problem.space.dimension,
        totals=len(state.totals),
        sources=len(state.source_keys),
    )


def _of_sources(h: Hyperparameters, before: FilmGPState, now: FilmGPState) -> Hyperparameters:
    """Hyperparameters of one state for the sources of prior data of another."""
    old, new = before.source_keys.tolist(), now.source_keys.tolist()
    return h if old == new else h.carried(old, new)


def _fitted(state: FilmGPState, fits: list[SettledFit]) -> FilmGPState:
    settled = state.with_settled([found.settled for found in fits])
    return replace(settled, hyperparameters=tuple(found.fit.hyperparameters for found in fits))


@dataclass(frozen=True)
class _ColumnFit:
    """The fit of one objective."""

    problem: Problem
    seed: int
    progress: Callable[[str], None]

    def __call__(
        self, state: FilmGPState, column: int, previous: Hyperparameters | None, starts: int | None = None
    ) -> SettledFit:
        """Fit; by default with as many starts as the readings are worth."""
        raw = state.raw_readings(column)
        fit_column = RobustFit(
            raw,
            state.sides(column),
            robust=self.problem.surrogate.noise.outliers != "none",
            layout=layout_of(self.problem, state, column),
            seed=self.seed,
            progress=self.progress,
        )
        if starts is None:
            starts = starts_for(len(raw.y), warm=previous is not None)
        return fit_column(starts, previous)

    def averaged(self, state: FilmGPState) -> tuple[tuple[Hyperparameters, ...], ...]:
        """Equally likely sets per objective; none where the readings settle the hyperparameters of some objective."""
        columns = [(state.readings(k), h) for k, h in enumerate(state.hyperparameters)]
        most = self.problem.surrogate.averaging
        count = min(sets_for(len(data.y), most, int((~data.prior()).sum())) for data, _ in columns)
        if count == 1:
            return ()
        elements, totals = self.problem.space.dimension, len(state.totals)
        draw = Averaging(count, elements, self.seed, self.progress, totals)
        return tuple(draw(data, h) for data, h in columns)


def _carried(previous: FilmGPState, state: FilmGPState, column: int) -> Hyperparameters | None:
    """The earlier hyperparameters of an objective, its noise at the centres of this state.

    None if the objective is new or the columns are others.
    """
    if column >= len(previous.hyperparameters) or not np.array_equal(previous.totals, state.totals):
        return None
    h = _of_sources(previous.hyperparameters[column], previous, state)
    if h.noise_spread == 0.0 or not state.noise_centres.size:
        return h
    return replace(h, noise_weights=carried_weights(h.noise_weights, previous.noise_centres, state.noise_centres))
