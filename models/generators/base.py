"""What every generator learns from, is asked and answers.

| symbol | meaning |
| --- | --- |
| n, d | examples, elements |
| m, p | target properties, process columns; both may be missing, entry by entry |
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from models.composition import TOLERANCE, SearchSpace
from models.dataset import Dataset
from models.errors import InvalidDataset
from models.problem import Problem

Array = NDArray[np.float64]
Progress = Callable[[str], None]
"""Called often with a short phase word; may raise to stop the work."""

DUST = 1e-6
"""Fractions up to this are an error of rounding: the element is absent."""
ROUNDED = 1e-12
"""Distance of a sum from 1 that the sum itself may have caused."""
SUM_TOLERANCE = 0.02
"""Largest distance of a sum of fractions from 1 that is still one of rounding in a published table."""

FEWEST = 8
"""Distinct compositions below which there is nothing to learn."""
UNSEEN = 0.15
"""Share of a campaign's examples that a version is judged by, and has not seen."""
REPEATED = 1e-9
"""Compositions whose fractions all differ by no more than this are one and the same: the difference is of rounding."""


@dataclass(frozen=True)
class Examples:
    """Compositions to learn from: the D_t of a campaign, or a prior table of any origin."""

    elements: tuple[str, ...]
    properties: tuple[str, ...]
    process: tuple[str, ...]
    """Names of the columns of X, Y and P. Models are carried from one table to another by these names."""
    X: Array
    """`n x d` atomic fractions; the sum of a row is brought to 1, fractions up to `DUST` to 0."""
    Y: Array
    """`n x m` properties in their own units; NaN where unknown."""
    P: Array
    """`n x p` process columns in the unit cube; NaN where unknown."""
    groups: NDArray[np.str_]
    """`n` names of films, or of families: what belongs together is held out together."""
    merit: Array = field(default_factory=lambda: np.empty(0))
    """`n` figures, larger is better, by which rank weighting counts examples; NaN counts as the worst. May be empty."""

    def __post_init__(self) -> None:
        n, shapes = len(self.X), (self.X.shape, self.Y.shape, self.P.shape)
        wanted = tuple((n, len(names)) for names in (self.elements, self.properties, self.process))
        if shapes != wanted or len(self.groups) != n or len(self.merit) not in {0, n}:
            raise InvalidDataset(f"X, Y, P have shapes {shapes}, {wanted} wanted; {len(self.groups)} groups")
        if len(self.elements) != len(set(self.elements)) or not self.elements:
            raise InvalidDataset(f"elements repeat or are none: {self.elements}")
        if np.isinf(self.Y).any() or np.isinf(self.P).any():
            raise InvalidDataset("a property or a process value is infinite")
        if not np.isfinite(self.X).all() or (self.X < -DUST).any():
            raise InvalidDataset("a fraction is negative or not finite")
        if n and np.abs(self.X.sum(axis=1) - 1.0).max() > SUM_TOLERANCE:
            raise InvalidDataset(f"fractions of a row do not sum to 1 within {SUM_TOLERANCE}")
        clean = np.where(self.X > DUST, self.X, 0.0)
        total = clean.sum(axis=1, keepdims=True)
        # Rows that were brought to 1 before stay as they are, to the last bit: a fingerprint rests on them.
        object.__setattr__(self, "X", clean / np.where(np.abs(total - 1.0) > ROUNDED, total, 1.0))

    @classmethod
    def of(cls, problem: Problem, dataset: Dataset) -> Self:
        """What a campaign has read: one example for each distinct device point of a film, its readings averaged.

        Calibration samples are left out. The first objective, in its direction, is the merit.
        """
        films = dataset.of_films()
        d = problem.space.dimension
        keys = [f"{film}\x00{x.tobytes()!r}" for film, x in zip(films.films.tolist(), films.X, strict=True)]
        _, first, which = np.unique(keys, return_index=True, return_inverse=True)
        Y = np.array([_means(films.Y[which == k]) for k in range(len(first))]).reshape(-1, films.Y.shape[1])
        return cls(
            problem.space.elements,
            tuple(p.property for p in problem.properties),
            problem.space.process_columns,
            films.X[first, :d],
            Y,
            films.X[first, d:],
            films.films[first],
            problem.objectives[0].to_maximised(Y[:, 0]),
        ).canonical()

    @classmethod
    def to_learn(cls, problem: Problem, dataset: Dataset) -> Self:
        """All that a campaign's generator learns from: what was read, prior data, and what its options name.

        Only what was read has a merit. Prior data without films are a group for each composition. Named compositions
        that repeat another one, or one that was read, are left out.
        """
        own, elsewhere = cls.of(problem, dataset), _by_composition(dataset.prior(), problem.space.dimension)
        prior = cls.of(problem, replace(elsewhere, sources=np.full(len(elsewhere), "", dtype=str)))
        read = own.joined(replace(prior, merit=np.full(len(prior), np.nan)))
        return read.joined(own.bare(getattr(problem.generator, "known", ()))._beside(read)).canonical()

    def bare(self, compositions: Sequence[Mapping[str, float]]) -> Self:
        """Compositions of the same elements of which nothing else is known."""
        n = len(compositions)
        X = np.array([[x.get(e, 0.0) for e in self.elements] for x in compositions]).reshape(n, len(self.elements))
        Y, P = np.full((n, len(self.properties)), np.nan), np.full((n, len(self.process)), np.nan)
        names = np.array([f"known/{k:05d}" for k in range(n)], dtype=str)
        return replace(self, X=X, Y=Y, P=P, groups=names, merit=np.full(n, np.nan))

    def _beside(self, others: Self) -> Self:
        """These without repetitions of one another and of others: a twin tells of what is held out."""
        rows = np.sort(np.unique(self.X, axis=0, return_index=True)[1])
        tree = cKDTree(self.X[rows])
        repeated = np.unique(tree.query_pairs(REPEATED, p=np.inf, output_type="ndarray")[:, 1])
        if len(others):
            near = cKDTree(others.X).query(self.X[rows], p=np.inf, distance_upper_bound=2.0 * REPEATED)[0]
            repeated = np.union1d(repeated, np.flatnonzero(near <= REPEATED))
        return self.take(np.delete(rows, repeated))

    def joined(self, other: Self) -> Self:
        """These examples and others of the same columns, both with merits or both without."""
        names = ("X", "Y", "P", "groups", "merit")
        both: dict[str, Any] = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in names}
        return replace(self, **both)

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: NDArray[Any]) -> Self:
        """The examples at `rows`."""
        some = {name: getattr(self, name)[rows] for name in ("X", "Y", "P", "groups")}
        return replace(self, **some, merit=self.merit[rows] if len(self.merit) else self.merit)

    def canonical(self) -> Self:
        """The same examples in an order that depends on their content only."""
        merit = [self.merit] if len(self.merit) else []
        return self.take(np.lexsort((self.groups, *merit, *self.P.T, *self.Y.T, *self.X.T[::-1])))

    def fingerprint(self) -> str:
        """SHA-256 over names and canonical content."""
        ordered = self.canonical()
        digest = hashlib.sha256("\x00".join([*self.elements, "", *self.properties, "", *self.process]).encode())
        for part in (ordered.X, ordered.Y, ordered.P, ordered.merit):
            digest.update(np.ascontiguousarray(part, dtype="<f8").tobytes())
        digest.update("\x00".join(ordered.groups.tolist()).encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Wish:
    """What is asked of a generator."""

    targets: Array
    """`m` wanted values in the properties' own units; NaN where any value will do."""
    process: Array
    """`p` process columns in the unit cube; NaN where any value will do."""
    space: SearchSpace | None = None
    """Rules that every draw obeys; its elements are the examples'. None: fractions that sum to 1, nothing else."""

    @classmethod
    def anything(cls, examples: Examples, space: SearchSpace | None = None) -> Self:
        """No target at all: more of what there is."""
        return cls(np.full(len(examples.properties), np.nan), np.full(len(examples.process), np.nan), space)

    @property
    def conditioned(self) -> bool:
        """Whether any target is set."""
        return bool(np.isfinite(self.targets).any())


@dataclass(frozen=True)
class Draws:
    """Compositions from a generator."""

    X: Array
    """`count x d`; every row obeys the wish's rules to `TOLERANCE`."""
    moved: Array
    """`count` L1 distances by which the rules moved each draw from where the generator had put it."""
    mean: Array
    """`count x m` properties that the generator itself expects there; NaN where it expects nothing."""
    sd: Array
    """`count x m` its standard deviation."""

    @property
    def validity(self) -> float:
        """Share of the draws that obeyed the rules as they were drawn."""
        return float(np.mean(self.moved <= TOLERANCE)) if len(self.moved) else 1.0


class Generator(Protocol):
    """A fitted model that draws compositions."""

    name: ClassVar[str]

    @classmethod
    def fit(
        cls,
        options: Any,  # noqa: ANN401  (each kind has options of its own)
        examples: Examples,
        *,
        seed: int,
        previous: "Generator | None",
        progress: Progress,
    ) -> tuple[Self, dict[str, Any]]:
        """Fit to canonical examples; returns the model and its JSON-able metrics.

        `previous` may be of other elements, properties or process columns: what has the same name is carried over.

        Raises:
            NotEnoughData: If there are too few examples to learn from.
            FitFailed: If the fit has no finite end.
        """
        ...

    def draw(self, wish: Wish, count: int, *, seed: int) -> Draws:
        """Draw `count` compositions; the same wish and seed give the same draws.

        Raises:
            NoFeasibleFilm: If the wish's rules leave no composition.
        """
        ...

    def reconstruct(self, examples: Examples) -> Array | None:
        """Compositions (n x d) that the model makes of others through its code; None where it has no code."""
        ...

    def information(self, examples: Examples, *, seed: int) -> dict[str, Any]:
        """What the code says of examples: bounds, divergence, dimensions in use; empty where there is no code."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of the model as named arrays."""
        ...

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """The inverse of `arrays`, bit by bit."""
        ...


def _by_composition(prior: Dataset, d: int) -> Dataset:
    """Prior data whose readings without a film have one for each composition, so that no source is all one group."""
    films = prior.films.astype(object)
    loose = np.flatnonzero(prior.films == np.char.add(prior.sources, "/"))
    _, which = np.unique(prior.X[loose, :d], axis=0, return_inverse=True)
    films[loose] = [f"{films[row]}/{k:06d}" for row, k in zip(loose, which.ravel().tolist(), strict=True)]
    return replace(prior, films=films.astype(str))


def _means(Y: Array) -> Array:
    """Mean of each column over what was read, NaN where nothing was; `r x m` to `m`."""
    read = np.isfinite(Y)
    return np.where(read.any(axis=0), np.where(read, Y, 0.0).sum(axis=0) / np.maximum(read.sum(axis=0), 1), np.nan)


def held_back(examples: int) -> int:
    """How many of a campaign's examples a training leaves out, to be judged by."""
    return round(UNSEEN * examples)


def nothing_expected(count: int, properties: int) -> tuple[Array, Array]:
    """Mean and sd (count x m) of a generator that expects nothing."""
    return np.full((count, properties), np.nan), np.full((count, properties), np.nan)
