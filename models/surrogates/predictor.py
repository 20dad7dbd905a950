"""A stored film GP's predictions with NumPy alone: for a process that never loads torch.

The same numbers as `FilmGP.predict`, from the same arrays; four quantities stay apart: the mean of the latent property
f, how well f is known, how far one reading scatters, and how far whole films scatter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models.errors import IncompatibleCheckpoint
from models.objective import Objective
from models.surrogates.composition_error import by_fraction, composition_variance, mean_gradient
from models.surrogates.conditioning import Conditioner
from models.surrogates.evidence import Readings
from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.hyperparameters import Hyperparameters
from models.surrogates.noise_basis import mean_noise, reading_features

Array = NDArray[np.float64]

BLOCK = 1024
"""Points that are predicted at once: bounds the memory."""


class PointPrediction(NamedTuple):
    """What is believed at each of j points, per objective, in physical units: `j x m` each."""

    mean: Array
    """Posterior mean of the latent property f."""
    latent_sd: Array
    """Standard deviation of f."""
    noise_sd: Array
    """Standard deviation of one reading about f and the film's offset."""
    film_effect_sd: Array
    """Standard deviation of a film's offset."""


class _Component:
    """One objective with one set of hyperparameters, conditioned on its readings; standardised units."""

    def __init__(self, state: FilmGPState, column: int, data: Readings, h: Hyperparameters) -> None:
        self._state, self._h, self._doubt = state, h, state.doubt(column)
        self._read = Conditioner(data, h).conditioning
        self.moments = self._read.moments

    def spread(self, x: Array) -> tuple[Array, Array]:
        """Variance of a reading (at an unknown position) and of a film's offset at `j x D` points."""
        h, ones = self._h, np.ones(len(x))
        noise = h.noise_variance * ones
        if h.noise_spread > 0.0:
            features = reading_features(self._state.plain(x), self._state.noise_centres)
            noise *= mean_noise(features, h.noise_spread, h.noise_weights, self._doubt)
        if self._state.composition_error.size:
            sd, elements = self._state.composition_error
            gradient = mean_gradient(x / h.lengthscales, self._read.z, self._read.project @ self._read.whitened, h)
            noise += composition_variance(by_fraction(gradient, self._state, int(elements)), sd)
        return noise, h.film_variance * ones


@dataclass(frozen=True)
class Predictor:
    """A stored model, ready to predict. Several sets of hyperparameters of an objective are equally likely."""

    state: FilmGPState
    signs: Array
    """`m` signs that lead from maximised values to what is returned."""
    components: tuple[tuple[_Component, ...], ...]
    """Per objective."""

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], objectives: Sequence[Objective] = ()) -> Self:
        """Condition a stored model on its readings.

        Args:
            arrays: The arrays of a checkpoint of a film GP.
            objectives: Whose own directions the means take; without them means are maximised values.

        Raises:
            IncompatibleCheckpoint: If the arrays are no film GP, or of another number of objectives.
            FitFailed: If a covariance of the readings has no Cholesky factor.
        """
        state = FilmGPState.from_arrays(arrays)
        signs = np.array([o.sign() for o in objectives]) if objectives else np.ones(state.Y.shape[1])
        if len(signs) != state.Y.shape[1]:
            raise IncompatibleCheckpoint(f"a model of {state.Y.shape[1]} objectives, not of {len(signs)}")
        try:
            each = tuple(
                tuple(_Component(state, k, state.readings(k), h) for h in state.sets(k))
                for k in range(len(state.hyperparameters))
            )
        except (ValueError, IndexError) as error:
            raise IncompatibleCheckpoint(f"not a film_gp: {error}") from error
        return cls(state, signs, each)

    def predict(self, X: Array) -> PointPrediction:
        """Predict at `j x (d + p)` device points, as in `Dataset.X`: legal or not, as the caller likes."""
        x = self.state.scaled(np.asarray(X, dtype=np.float64))
        blocks = [self._predict(x[i : i + BLOCK]) for i in range(0, len(x), BLOCK)] or [self._predict(x)]
        mean, *variances = (np.concatenate(part) for part in zip(*blocks, strict=True))
        scale = self.state.scale
        latent, noise, film = (scale * np.sqrt(np.maximum(v, 0.0)) for v in variances)
        return PointPrediction(self.signs * (self.state.centre + scale * mean), latent, noise, film)

    def _predict(self, x: Array) -> tuple[Array, Array, Array, Array]:
        """Mean, and variances of f, a reading and a film's offset: `j x m` each, standardised."""
        columns = [_mixture(components, x) for components in self.components]
        mean, latent, noise, film = (np.stack(part, axis=-1) for part in zip(*columns, strict=True))
        return mean, latent, noise, film


def _mixture(components: Sequence[_Component], x: Array) -> tuple[Array, Array, Array, Array]:
    """Moments of equally likely components; the variance of f holds how far their means lie apart."""
    means, variances = (np.array(part) for part in zip(*(c.moments(x) for c in components), strict=True))
    noise, film = (np.array(part).mean(0) for part in zip(*(c.spread(x) for c in components), strict=True))
    return means.mean(0), variances.mean(0) + means.var(0), noise, film
