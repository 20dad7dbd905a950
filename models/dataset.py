"""D_t as the science sees it: device points, readings, variances, films, in an order that does not matter."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

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
    """`n` permanent names of the readings; they break ties in the canonical order. Empty if there are none."""
    positions: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """`n` positions of the devices along their film, 0 to 1; NaN where unknown."""
    replicates: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    """`n x m` numbers of raw readings behind each mean in Y. Where 2 or more, Yvar is their sample variance over their
    number: an estimate with `replicates - 1` degrees of freedom. Elsewhere Yvar is known as it stands."""
    censored: NDArray[np.int8] = field(default_factory=lambda: np.empty((0, 0), dtype=np.int8))
    """`n x m`: 1 where the true value is at least Y (a saturated instrument), -1 where it is at most Y, 0 elsewhere."""
    dead: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    """`n` devices that do not work: no reading of them will come, and that says something about the yield."""
    calibration: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    """`n` readings of a calibration sample: `films` names the sample, X counts for nothing."""
    sources: NDArray[np.str_] = field(default_factory=lambda: np.array([], dtype=str))
    """`n` names of the prior data that a reading comes from; empty text where it is of the campaign's own films."""

    def __post_init__(self) -> None:
        n = len(self.X)
        absent: dict[str, NDArray[Any]] = {
            "positions": np.full(n, np.nan),
            "replicates": np.ones(self.Y.shape),
            "censored": np.zeros(self.Y.shape, dtype=np.int8),
            "dead": np.zeros(n, dtype=bool),
            "calibration": np.zeros(n, dtype=bool),
            "sources": np.full(n, "", dtype=str),
        }
        for name, value in absent.items():
            if not getattr(self, name).size:
                object.__setattr__(self, name, value)
        shapes = {"Y": len(self.Y), "Yvar": len(self.Yvar), "films": len(self.films), "times": len(self.times)}
        if self.X.ndim != 2 or self.Y.ndim != 2 or self.Y.shape != self.Yvar.shape:
            raise InvalidDataset(f"X {self.X.shape}, Y {self.Y.shape}, Yvar {self.Yvar.shape}: 2-D wanted, Y like Yvar")
        shapes |= {name: len(getattr(self, name)) for name in absent}
        if wrong := {k: v for k, v in shapes.items() if v != n}:
            raise InvalidDataset(f"{n} points but {wrong}")
        if not np.isfinite(self.X).all():
            raise InvalidDataset("a device point is not finite")
        if self.replicates.shape != self.Y.shape or self.censored.shape != self.Y.shape:
            raise InvalidDataset(
                f"replicates {self.replicates.shape}, censored {self.censored.shape}: Y is {self.Y.shape}"
            )
        if (self.calibration & (self.sources != "")).any():
            raise InvalidDataset("a reading of a calibration sample is the campaign's own, never prior data")
        if np.isinf(self.Y).any() or np.isinf(self.Yvar).any() or (self.Yvar < 0).any():
            raise InvalidDataset("a reading or a variance is infinite, or a variance is negative")

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
        rare = (self.sources, self.calibration, self.dead, *self.censored.T, *self.replicates.T, self.positions)
        keys = (names, *rare, self.films, self.times, *self.Yvar.T, *self.Y.T, *self.X.T[::-1])  # the last counts most
        return self.take(np.lexsort(keys))

    def of_films(self) -> "Dataset":
        """The readings of the campaign's own films, without calibration samples and without prior data."""
        own = ~self.calibration & ~self.is_prior()
        return self if own.all() else self.take(own)

    def prior(self) -> "Dataset":
        """The readings that come from elsewhere."""
        return self.take(self.is_prior())

    def is_prior(self) -> NDArray[np.bool_]:
        """`n`: whether a reading comes from elsewhere."""
        return np.asarray(self.sources != "", dtype=bool)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Dataset":
        """The readings at `rows`."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return Dataset(**{name: part[rows] if len(part) else part for name, part in parts.items()})

    def fingerprint(self) -> str:
        """SHA-256 over the canonical readings; equal datasets in any order have equal fingerprints."""
        c = self.canonical()
        digest = hashlib.sha256()
        rare = (c.positions, c.replicates, c.censored, c.dead, c.calibration)
        for part in (c.X, c.Y, c.Yvar, c.times, *rare):
            digest.update(np.ascontiguousarray(part, dtype="<f8").tobytes())
        digest.update("\x00".join(c.films.tolist()).encode())
        if c.is_prior().any():  # left out else, so that datasets of before keep their fingerprint
            digest.update("\x01".join(c.sources.tolist()).encode())
        return digest.hexdigest()


def joined(parts: Sequence[Dataset]) -> Dataset:
    """The readings of several datasets of the same columns, at least one; names only if all have them."""
    named = all(len(part.names) == len(part) for part in parts)
    return Dataset(
        **{
            f.name: np.concatenate([getattr(part, f.name) for part in parts])
            for f in fields(Dataset)
            if named or f.name != "names"
        }
    )
