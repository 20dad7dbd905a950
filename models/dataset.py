"""D_t as the science sees it: device points, readings, variances, films, in an order that does not matter."""

import hashlib
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidDataset


@dataclass(frozen=True)
class Dataset:
    """Every active reading of a campaign at one revision. Rows may come in any order; `canonical()` sorts them.

    Shapes: n readings, d elements, p process columns, m objectives.
    """

    X: NDArray[np.float64]
    """`n x (d + p)` device points: fractions as made, then process columns in the unit cube."""
    Y: NDArray[np.float64]
    """`n x m` readings in the objectives' own units; NaN where an objective was not read."""
    Yvar: NDArray[np.float64]
    """`n x m` variance of each reading; NaN where the instrument gave none."""
    films: NDArray[np.str_]
    """`n` film names; readings with the same name share one film effect."""
    times: NDArray[np.float64]
    """`n` measurement times, seconds since the epoch."""
    names: NDArray[np.str_] = field(default_factory=lambda: np.array([], dtype=str))
    """`n` permanent names of the readings; they break ties in the canonical order."""

    def __post_init__(self) -> None:
        n = len(self.X)
        shapes = {"Y": len(self.Y), "Yvar": len(self.Yvar), "films": len(self.films), "times": len(self.times)}
        if self.X.ndim != 2 or self.Y.ndim != 2 or self.Y.shape != self.Yvar.shape:
            raise InvalidDataset(f"X {self.X.shape}, Y {self.Y.shape}, Yvar {self.Yvar.shape}: 2-D wanted, Y like Yvar")
        if wrong := {k: v for k, v in shapes.items() if v != n}:
            raise InvalidDataset(f"{n} points but {wrong}")
        if not np.isfinite(self.X).all():
            raise InvalidDataset("a device point is not finite")
        if np.isinf(self.Y).any() or (self.Yvar < 0).any():
            raise InvalidDataset("a reading is infinite or a variance is negative")

    @classmethod
    def empty(cls, columns: int, objectives: int = 1) -> Self:
        """D_0: no reading yet."""
        text = np.array([], dtype=str)
        none = np.empty((0, objectives))
        return cls(np.empty((0, columns)), none, none, text, np.empty(0), text)

    def __len__(self) -> int:
        return len(self.X)

    def canonical(self) -> "Dataset":
        """The same readings in an order that depends on their content only, so that training does not see arrival."""
        names = self.names if len(self.names) else np.array([""] * len(self), dtype=str)
        keys = (names, self.films, self.times, *self.Yvar.T, *self.Y.T, *self.X.T[::-1])  # the last key counts most
        return self.take(np.lexsort(keys))

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Dataset":
        """The readings at `rows`."""
        names = self.names[rows] if len(self.names) else self.names
        return Dataset(self.X[rows], self.Y[rows], self.Yvar[rows], self.films[rows], self.times[rows], names)

    def fingerprint(self) -> str:
        """SHA-256 over the canonical readings; equal datasets in any order have equal fingerprints."""
        c = self.canonical()
        digest = hashlib.sha256()
        for part in (c.X, c.Y, c.Yvar, c.times):
            digest.update(np.ascontiguousarray(part, dtype="<f8").tobytes())
        digest.update("\x00".join(c.films.tolist()).encode())
        return digest.hexdigest()
