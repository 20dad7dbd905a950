"""All that a `FilmGP` is made of, as arrays: what its checkpoint stores and what two processes must agree on."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.dataset import Dataset
from models.errors import IncompatibleCheckpoint, InvalidDataset, NotEnoughData
from models.problem import Problem
from models.surrogates.evidence import Readings
from models.surrogates.hyperparameters import Hyperparameters
from models.surrogates.scaling import LARGEST, robust_units, space_ranges

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FilmGPState:
    """All that a fitted model is: enough to build it again, bit by bit. m objectives, n readings, D = d + p columns."""

    lower: Array
    """`D` least values of the search space."""
    width: Array
    """`D` widths of the search space."""
    X: Array
    """`n x D` device points."""
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
    """`m` numbers of readings to which the hyperparameters were fitted."""

    def readings(self, column: int) -> Readings:
        """Objective `column` as the evidence sees it: only what was read, scaled and standardised."""
        read = ~np.isnan(self.Y[:, column])
        return Readings(
            x=(self.X[read] - self.lower) / self.width,
            y=(self.Y[read, column] - self.centre[column]) / self.scale[column],
            known_variance=self.Yvar[read, column] / self.scale[column] ** 2,
            film=self.film[read],
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The state as named arrays, for a checkpoint."""
        named = {k: getattr(self, k) for k in ("lower", "width", "X", "Y", "Yvar", "film", "centre", "scale", "fitted")}
        return named | {"theta": self._theta()}

    def _theta(self) -> Array:
        """One row of numbers per objective."""
        most = max(len(h.noise_weights) for h in self.hyperparameters)
        return np.stack([h.padded(most).natural() for h in self.hyperparameters])

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """The inverse of `arrays`.

        Raises:
            IncompatibleCheckpoint: If an array is missing or of the wrong shape.
        """
        try:
            theta = arrays["theta"]
            parts = {k: v for k, v in arrays.items() if k != "theta"}
            return cls(
                **parts, hyperparameters=tuple(Hyperparameters.from_natural(row, arrays["X"].shape[1]) for row in theta)
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise IncompatibleCheckpoint(f"not a film_gp: {error}") from error

    @classmethod
    def unfitted(cls, problem: Problem, dataset: Dataset) -> Self:
        """Readings and units, before any fit.

        Raises:
            NotEnoughData: If an objective was read at fewer than two distinct points.
            InvalidDataset: If a reading is too large to be squared.
        """
        Y = np.column_stack([o.to_maximised(y) for o, y in zip(problem.properties, dataset.Y.T, strict=True)])
        units = []
        for y in Y.T:
            read = ~np.isnan(y)
            distinct = len(np.unique(dataset.X[read], axis=0))
            if distinct < 2:
                raise NotEnoughData(
                    f"{read.sum()} readings at {distinct} distinct points; at least 2 points are needed"
                )
            if np.abs(y[read]).max() > LARGEST:
                raise InvalidDataset(f"a reading of {y[read][np.abs(y[read]).argmax()]:g} is larger than {LARGEST:g}")
            units.append(robust_units(y[read]))
        lower, width = space_ranges(problem.space)
        film = np.unique(dataset.films, return_inverse=True)[1].reshape(-1)
        centre, scale = np.array(units).T
        return cls(lower, width, dataset.X, Y, dataset.Yvar, film, centre, scale, (), (~np.isnan(Y)).sum(0))
