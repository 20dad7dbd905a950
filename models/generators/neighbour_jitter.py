"""Known compositions that come near the target, a little changed: the baseline that a generator has to beat.

Two changes: every fraction by a factor, and in a share of the draws one element for another. The second one makes sets
of elements that nobody has tried, which the first one never does.
"""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models.catalog import NeighbourJitter
from models.errors import IncompatibleCheckpoint, NotEnoughData
from models.generators.base import Draws, Examples, Generator, Progress, Wish, nothing_expected
from models.generators.legal import legal

Array = NDArray[np.float64]

STORED = ("X", "Y", "P", "merit", "options")
EXCHANGE = 11
"""Of the seed of exchanges: a stream of their own, so that factors are the same with and without them."""
UNKNOWN = 1e3
"""How far from any target an unknown property is, in its standard deviations."""


class NeighbourJitterGenerator:
    """Keeps the examples."""

    name: ClassVar[str] = "neighbour_jitter"

    def __init__(self, options: NeighbourJitter, X: Array, Y: Array, P: Array, merit: Array) -> None:
        self.options, self.X, self.Y, self.P, self.merit = options, X, Y, P, merit

    @classmethod
    def fit(
        cls, options: NeighbourJitter, examples: Examples, *, seed: int, previous: Generator | None, progress: Progress
    ) -> tuple[Self, dict[str, Any]]:
        """Nothing is fitted."""
        del seed, previous
        if not len(examples):
            raise NotEnoughData("there is no composition to change")
        progress("neighbours")
        return cls(options, examples.X, examples.Y, examples.P, examples.merit), {}

    def draw(self, wish: Wish, count: int, *, seed: int) -> Draws:
        """Change fractions of known compositions by log-normal factors, exchange some elements, and keep the rules."""
        rng = np.random.default_rng(seed)
        near = self._near(wish)
        start = self.X[near[rng.integers(len(near), size=count)]]
        changed = start * np.exp(self.options.scale * rng.standard_normal(start.shape))
        changed = self._exchanged(changed / changed.sum(axis=1, keepdims=True), seed)
        X, moved = legal(changed, wish.space, seed=seed)
        return Draws(X, moved, *nothing_expected(count, self.Y.shape[1]))

    def reconstruct(self, examples: Examples) -> None:
        """There is no code."""
        del examples

    def information(self, examples: Examples, *, seed: int) -> dict[str, Any]:
        """There is no code."""
        del examples, seed
        return {}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The examples and the options."""
        kept = {"X": self.X, "Y": self.Y, "P": self.P, "merit": self.merit}
        return kept | {"options": np.array([self.options.neighbours, self.options.scale, self.options.exchanged])}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """The inverse of `arrays`, bit by bit."""
        if missing := [name for name in STORED if name not in arrays]:
            raise IncompatibleCheckpoint(f"a stored neighbour_jitter lacks {missing}")
        neighbours, scale, *later = arrays["options"].tolist()
        # What was stored before there were exchanges has none.
        options = NeighbourJitter(neighbours=int(neighbours), scale=scale, exchanged=later[0] if later else 0.0)
        return cls(options, *(arrays[name] for name in STORED[:4]))

    def _exchanged(self, X: Array, seed: int) -> Array:
        """The compositions (n x d), some of them with one element in another's place; both are drawn evenly."""
        rng, known = np.random.default_rng([seed, EXCHANGE]), (self.X > 0.0).any(axis=0)
        for x in (X[row] for row in np.flatnonzero(rng.random(len(X)) < self.options.exchanged)):
            absent = np.flatnonzero(known & (x == 0.0))
            if len(absent):
                gone, new = rng.choice(np.flatnonzero(x > 0.0)), rng.choice(absent)
                x[new], x[gone] = x[gone], 0.0
        return X

    def _near(self, wish: Wish) -> NDArray[np.intp]:
        """Rows to change: nearest to the targets; without any, the best by merit; without merit, all."""
        useful = np.isfinite(wish.targets) & np.isfinite(self.Y).any(axis=0)
        if useful.any():
            Y = self.Y[:, useful]
            scale = np.nanstd(Y, axis=0)
            off = np.abs(Y - wish.targets[useful]) / np.where(scale > 0.0, scale, 1.0)
            far = np.where(np.isfinite(off), off, UNKNOWN).sum(axis=1)
            return np.argsort(far, kind="stable")[: self.options.neighbours]
        if np.isfinite(self.merit).any():
            worth = np.where(np.isfinite(self.merit), self.merit, -np.inf)
            return np.argsort(-worth, kind="stable")[: self.options.neighbours]
        return np.arange(len(self.X))
