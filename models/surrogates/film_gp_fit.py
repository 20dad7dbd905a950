"""From a dataset to the fitted state of a `FilmGP`, objective by objective."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from models.dataset import Dataset
from models.problem import Problem
from models.surrogates.averaging import Averaging
from models.surrogates.composition_error import with_composition_error
from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.fitting import Fit, starts_for
from models.surrogates.hyperparameters import Hyperparameters, Layout
from models.surrogates.noise_basis import carried_weights
from models.surrogates.noise_fitting import weight_covariance
from models.surrogates.robust_fitting import RobustFit, SettledFit
from models.surrogates.settling import settle

UNITS = ("lower", "width", "centre", "scale", "clock")
KEPT = (*UNITS, "hyperparameters", "averaged", "fitted", "noise_centres", "noise_doubt")
"""What a state that was fitted lends to other readings."""


def fit_state(
    problem: Problem,
    dataset: Dataset,
    *,
    seed: int,
    previous: FilmGPState | None,
    progress: Callable[[str], None],
) -> tuple[FilmGPState, list[Fit]]:
    """Fit the hyperparameters of every objective.

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
        len(state.lower), film_effect=problem.surrogate.film_effect, drift=drift, elements=problem.space.dimension
    )


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
        draw = Averaging(self.problem.surrogate.averaging, self.problem.space.dimension, self.seed, self.progress)
        columns = [(state.readings(k), h) for k, h in enumerate(state.hyperparameters)]
        if not all(draw.says_more(data) for data, _ in columns):
            return ()
        return tuple(draw(data, h) for data, h in columns)


def _carried(previous: FilmGPState, state: FilmGPState, column: int) -> Hyperparameters | None:
    """The earlier hyperparameters of an objective, its noise at the centres of this state; None if it is new."""
    if column >= len(previous.hyperparameters):
        return None
    h = previous.hyperparameters[column]
    if h.noise_spread == 0.0 or not state.noise_centres.size:
        return h
    return replace(h, noise_weights=carried_weights(h.noise_weights, previous.noise_centres, state.noise_centres))
