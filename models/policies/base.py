"""What every policy is asked and what it answers."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from models.composition import TOLERANCE
from models.dataset import Dataset
from models.film import Film
from models.generators.base import Generator
from models.objective import Objective
from models.problem import Problem
from models.structures import TRACE, Structures, film_structures, little_changed
from models.surrogates.base import Progress, Surrogate
from models.surrogates.posterior_map import feasible_points, is_feasible, middle_process
from models.utility import Utility

Array = NDArray[np.float64]
STAND_INS = 256
"""Compositions of prior data that stand for readings while there is none."""
BEST_READ = 3
"""Best readings around which structures are always searched, should there be too many of them."""
Source = Literal["model", "space_filling", "random"]
Origin = Literal["systematic", "uniform", "jitter", "generator"]
"""What laid the starting film from which a search came to its best one."""


@dataclass(frozen=True)
class Alternative:
    """A film that was not chosen: how much it was expected to gain."""

    a: Array
    b: Array
    """End compositions, `d` each."""
    process: Array
    """Process vector in the unit cube, `p`."""
    gain: float
    """Expected improvement in the objective's unit."""
    pair: tuple[str, str] | None = None
    """The two elements that trade along it, where the problem's grading is `pair`."""


@dataclass(frozen=True)
class PairScore:
    """What the best film gains that grades two elements against each other and holds the others constant."""

    pair: tuple[str, str]
    gain: float
    """In the objective's unit, as the recommendation's own gain."""


@dataclass(frozen=True)
class Recommendation:
    """One proposed film with what the model expects of it."""

    film: Film
    mean: Array | None
    """`K x m` expected latent property per device, physical units; None without a model."""
    sd: Array | None
    """`K x m` its standard deviation, physical units."""
    gain: float | None
    """Expected improvement over the best so far, in the objective's unit; None if the policy computes none."""
    policy: str
    source: Source
    reason: str
    """One sentence for a person."""
    alternatives: tuple[Alternative, ...] = ()
    pairs: tuple[PairScore, ...] = ()
    """Every pair of elements that can be graded, the most gainful first; empty if the policy computes no gain."""
    cost: float | None = None
    """What making the film costs, in the unit of the policy's cost model; None if it has none."""
    start: Origin | None = None
    """What laid the film from which the search came to this one; None if nothing was searched."""


@dataclass(frozen=True)
class Question:
    """Everything a policy may look at. Readings and pending films are in canonical order: arrival plays no part."""

    problem: Problem
    dataset: Dataset
    pending: tuple[Film, ...]
    """Films in flight, with their devices that are not yet read."""
    seed: int
    surrogate: Surrogate | None
    progress: Progress
    left: int | None = None
    """Films that the campaign may still ask for, this one among them; None if it has no end."""
    prior: Dataset | None = None
    """Readings from elsewhere on which the surrogate rests beside those of `dataset`; none of them is to be beaten."""
    generator: Generator | None = None
    """Of the problem's elements and properties; None if there is none that may be used."""

    def rng(self) -> np.random.Generator:
        """A fresh generator: the same question gives the same numbers."""
        return np.random.default_rng(self.seed)

    @cached_property
    def structures(self) -> Structures:
        """The discrete choices a film of this problem has."""
        space = self.problem.space
        return film_structures(space, self.problem.film, self.seed, self._best_read()[:, : space.dimension])

    @cached_property
    def pair_structures(self) -> Structures:
        """The discrete choices of the films that grade one pair of elements; `structures` itself where all do."""
        geometry = self.problem.film
        if geometry.grading == "pair" or geometry.choices:
            return self.structures
        near = self._best_read()[:, : self.problem.space.dimension]
        return film_structures(self.problem.space, geometry.model_copy(update={"grading": "pair"}), self.seed, near)

    @cached_property
    def little_changed(self) -> Structures:
        """The discrete choices of films whose elements are those of a film made last, or one more or one fewer."""
        return little_changed(self.problem.space, self.problem.film, self.made_last()[0])

    def made_last(self) -> tuple[NDArray[np.bool_], Array]:
        """The films after which the next one may be made: those in flight, else the one that was read last.

        Returns:
            Elements present (r x d) and process columns (r x p); r = 0 where there is no such film.
        """
        space, d = self.problem.space, self.problem.space.dimension
        before, least = [film.points() for film in self.pending], TOLERANCE
        read = self.dataset.take(~self.dataset.calibration)
        if not before and len(read):
            before, least = [read.X[read.films == read.films[int(np.argmax(read.times))]]], TRACE
        present = np.array([(points[:, :d] > least).any(axis=0) for points in before], dtype=bool)
        process = np.array([points[0, d:] for points in before], dtype=float)
        return present.reshape(len(before), d), process.reshape(len(before), len(space.process_columns))

    def _best_read(self) -> Array:
        """Device points of the best readings of each objective, at most `BEST_READ` of each."""
        read = self.read()
        best = [
            np.argsort(-objective.to_maximised(read.Y[:, k]), kind="stable")[:BEST_READ]
            for k, objective in enumerate(self.problem.objectives)
        ]
        return read.X[np.unique(np.concatenate(best))] if len(best) > 1 else read.X[best[0]]

    def read(self) -> Dataset:
        """The rows with a reading of any property; dead devices have none. Without any, what prior data stand for."""
        own = self.dataset.take(~np.all(np.isnan(self.dataset.Y), axis=1))
        return own if len(own) or not self.rests_on_prior else self._expected

    @cached_property
    def rests_on_prior(self) -> bool:
        """Whether nothing of the campaign's own was read, and prior data say what to expect instead."""
        return (
            bool(np.isnan(self.dataset.Y).all())
            and self.surrogate is not None
            and self.prior is not None
            and len(self.prior) > 0
        )

    @cached_property
    def _expected(self) -> Dataset:
        """What the surrogate expects at legal points of prior data, at most `STAND_INS`, as if each were a film."""
        space = self.problem.space
        points = np.empty((0, 0)) if self.prior is None else np.unique(self.prior.X, axis=0)
        points = points[is_feasible(space, points[:, : space.dimension])] if len(points) else points
        if not len(points):
            compositions = feasible_points(space, STAND_INS)
            points = np.hstack([compositions, np.tile(middle_process(space), (len(compositions), 1))])
        predicted = self.model().predict(points)
        mean, worth = predicted.mean, predicted.expected(self.problem.objectives[:1])[:, 0]
        best = np.sort(np.argsort(-worth, kind="stable")[:STAND_INS])
        names = np.array([f"{k:04d}" for k in range(len(best))])
        signs = np.array([p.sign() for p in self.problem.properties])
        none = np.full((len(best), len(signs)), np.nan)
        return Dataset(points[best], signs * mean[best], none, names, np.zeros(len(best)), names)

    def known(self) -> str:
        """In words, what a film is to be better than."""
        return f"the {'worst' if self.rests_on_prior else 'best'} of {self.known_from()}"

    def known_from(self) -> str:
        """In words, from what the property is known."""
        if self.rests_on_prior:
            return f"{counted(len(self.read()), 'composition')} of prior data"
        return counted(len(self.read()), "reading")

    def utility(self) -> Utility:
        """What standardised values of the first objective are worth, in standardised units."""
        latent = self.model().latents()[0]
        return self.problem.objectives[0].utility().standardised(latent.centre, latent.scale)

    def model(self) -> Surrogate:
        """The surrogate, where the policy needs one.

        Raises:
            ValueError: If there is none: `propose` asks such policies only with a model.
        """
        if self.surrogate is None:
            raise ValueError("this policy needs a trained model")
        return self.surrogate

    def known_points(self) -> Array:
        """Device points made or in flight, `(n + pending) x (d + p)`."""
        return np.vstack([self.dataset.X, *(film.points() for film in self.pending)])


def asked_of(problem: Problem, surrogate: Surrogate, dataset: Dataset, seed: int) -> Question:
    """A question about what is known, with nothing in flight; readings in any order."""
    own, prior = dataset.of_films().canonical(), dataset.prior().canonical()
    return Question(problem, own, (), seed, surrogate, lambda _phase: None, prior=prior)


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 film`, `2 films`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def towards(sought: Objective) -> str:
    """What a reason has to add of a target, else nothing."""
    return "" if sought.target is None else f"; towards {sought.named_target()}"


class Policy(Protocol):
    """A way to choose the next film. Subclass-free: any object with these two members."""

    needs_model: bool
    """Whether `recommend` needs a surrogate."""

    def recommend(self, question: Question) -> Recommendation:
        """Choose one film.

        Raises:
            NoFeasibleFilm: If no film obeys every rule.
        """
        ...
