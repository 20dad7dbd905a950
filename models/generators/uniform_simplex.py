"""Feasible compositions, evenly: what a generator must be better than."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models.catalog import UniformSimplex
from models.errors import IncompatibleCheckpoint, InvalidComposition
from models.generators.base import Draws, Examples, Generator, Progress, Wish, nothing_expected


class UniformSimplexGenerator:
    """Remembers how many elements and properties there are, and nothing else."""

    name: ClassVar[str] = "uniform_simplex"

    def __init__(self, elements: int, properties: int) -> None:
        self.elements, self.properties = elements, properties

    @classmethod
    def fit(
        cls, options: UniformSimplex, examples: Examples, *, seed: int, previous: Generator | None, progress: Progress
    ) -> tuple[Self, dict[str, Any]]:
        """Nothing is fitted."""
        del options, seed, previous
        progress("uniform")
        return cls(len(examples.elements), len(examples.properties)), {}

    def draw(self, wish: Wish, count: int, *, seed: int) -> Draws:
        """Draw evenly in each set of elements that the rules allow; targets are not looked at."""
        if wish.space is not None and wish.space.dimension != self.elements:
            raise InvalidComposition(f"draws of {self.elements} elements for a space of {wish.space.dimension}")
        flat = np.random.default_rng(seed).dirichlet(np.ones(self.elements), count)
        X = flat if wish.space is None else wish.space.sample(count, seed)
        return Draws(X, np.zeros(count), *nothing_expected(count, self.properties))

    def reconstruct(self, examples: Examples) -> None:
        """There is no code."""
        del examples

    def information(self, examples: Examples, *, seed: int) -> dict[str, Any]:
        """There is no code."""
        del examples, seed
        return {}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Two numbers."""
        return {"sizes": np.array([self.elements, self.properties])}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """The inverse of `arrays`."""
        if "sizes" not in arrays:
            raise IncompatibleCheckpoint("a stored uniform_simplex has no sizes")
        return cls(*(int(n) for n in arrays["sizes"]))
