"""Films laid through generated compositions: beside, or instead of, films that are drawn and laid by rule.

Three sources: even draws, so that what nobody expects is looked at, too; jitter of what was read, which needs no
training; and the campaign's generator. The last two are asked for values a little beyond the best posterior mean at
what was read; of several objectives beyond points of the Pareto front, in all of them; where an objective has a target,
for the target. Draws only propose: the acquisition decides.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.catalog import FilmSearch, NeighbourJitter, UniformSimplex
from models.generators.base import Examples, Generator, Wish
from models.generators.neighbour_jitter import NeighbourJitterGenerator
from models.generators.uniform_simplex import UniformSimplexGenerator
from models.objective import OutcomeConstraint
from models.pareto import non_dominated
from models.policies.base import Origin, Question
from models.policies.film_acquisition import FilmAcquisition
from models.policies.film_starts import FLAT, READ, STEPS, best_read, starting_films, through
from models.policies.films_through import is_inside, multiples
from models.structures import TRACE, Drawn, FilmStructure, own_structure

Array = NDArray[np.float64]

AHEAD = (0.1, 0.4)
"""How far beyond the best the wanted values lie, in standard deviations of what is expected where was read."""
FRONT = 4
"""Points of a Pareto front beyond which is asked."""
SHARE = 4
"""One in so many starting films is laid through draws of each source, one more where none is laid by rule."""
TRIED = 4
"""Directions that are tried for a film through a composition."""
THROUGH = 2
"""Films that are laid through each draw."""

Starts = Literal["systematic", "merged", "generated"]
AUTO: Starts = "systematic"
"""Until a benchmark shows films that are found sooner, nothing else is begun from unasked."""


def starts_of(options: FilmSearch) -> Starts:
    """Where a search begins; what `auto` is was settled by `benchmarks/generators/films.py`."""
    return AUTO if options.starts == "auto" else options.starts


def starting_pools(
    question: Question,
    acquisition: FilmAcquisition,
    options: FilmSearch,
    s: Array,
    rng: np.random.Generator,
) -> dict[Origin, Drawn]:
    """Films to be scored before some of them are refined, by what laid them; empty if no structure holds one.

    Args:
        question: The problem and what is known.
        acquisition: The gain of films.
        options: How many, and from where.
        s: Shares of end B at the devices, `K`.
        rng: For every draw of a systematic film; others have a stream of their own, and change none of these.
    """
    starts, pools = starts_of(options), dict[Origin, Drawn]()
    if starts != "systematic":
        count = options.raw_films // (SHARE if starts == "merged" else SHARE - 1)
        drawn = generated(question, count // THROUGH)
        own = np.random.default_rng([question.seed, len(drawn)])
        pools = {origin: laid(question, X, s, own, THROUGH) for origin, X in drawn.items()}
        pools = {origin: films for origin, films in pools.items() if films}
    if starts == "generated" and pools:
        return pools
    priced = options.cost is not None and options.cost.target > 0.0
    systematic = starting_films(question, acquisition, options.raw_films, s, rng, few_changes=priced)
    return {"systematic": systematic, **pools} if systematic else pools


def generated(question: Question, count: int) -> dict[Origin, Array]:
    """Legal compositions for values better than the best, or at the target, about `count x d` of each source."""
    examples = _examples(question)
    told: dict[str, Any] = {"seed": question.seed, "previous": None, "progress": question.progress}
    sources: Mapping[Origin, Generator | None] = {
        "uniform": UniformSimplexGenerator.fit(UniformSimplex(), examples, **told)[0],
        "jitter": NeighbourJitterGenerator.fit(NeighbourJitter(), examples, **told)[0],
        "generator": question.generator,
    }
    # Half of the draws are for nothing in particular: those for a target keep near to what was read.
    wanted = [wish for aimed in wishes(question) for wish in (aimed, replace(aimed, targets=aimed.targets * np.nan))]
    return {
        # Even draws heed no wish: one is as good as many.
        origin: _drawn(source, wanted[:1] if origin == "uniform" else wanted, count, question.seed)
        for origin, source in sources.items()
        if source is not None
    }


def _drawn(source: Generator, wanted: list[Wish], count: int, seed: int) -> Array:
    each = -(-count // len(wanted))
    return np.vstack([source.draw(w, each, seed=seed + k).X for k, w in enumerate(wanted)])


def wishes(question: Question) -> list[Wish]:
    """What to ask generators for: targets where there are some, else values beyond the best or the Pareto front."""
    problem, m = question.problem, len(question.problem.objectives)
    signs = np.array([o.sign() for o in problem.objectives])
    targets = np.array([np.nan if o.target is None else o.target for o in problem.objectives])
    predicted = question.model().predict(np.unique(question.read().X, axis=0))
    mean = predicted.mean
    best, spread = mean[non_dominated(predicted.expected(problem.objectives))], mean.std(axis=0)
    if np.isfinite(targets).all():  # whatever was best, the same is wanted
        return [_wish(question, targets, spread)]
    # Points of the front far from each other in their order along the first objective.
    some = best[np.argsort(best[:, 0], kind="stable")]
    some = some[np.unique(np.linspace(0, len(some) - 1, min(FRONT, len(some))).round().astype(int))]
    return [
        _wish(question, np.where(np.isfinite(targets), targets, signs * (point[:m] + ahead * spread[:m])), spread)
        for point in some
        for ahead in AHEAD
    ]


def _wish(question: Question, objectives: Array, spread: Array) -> Wish:
    """Values of the objectives (m), with every outcome within its limits."""
    problem, m = question.problem, len(objectives)
    rest = np.array([_within(o, spread[m + k]) for k, o in enumerate(problem.outcomes)])
    anything = np.full(len(problem.space.process_columns), np.nan)
    return Wish(np.concatenate([objectives, rest]), anything, problem.space)


def _within(outcome: OutcomeConstraint, spread: float) -> float:
    """A value safely within an outcome's limits."""
    lower, upper = outcome.limits()
    if np.isfinite(lower) and np.isfinite(upper):
        return 0.5 * (lower + upper)
    return float(lower + AHEAD[-1] * spread if np.isfinite(lower) else upper - AHEAD[-1] * spread)


def _examples(question: Question) -> Examples:
    """What the campaign has read; what prior data stand for, where it has read nothing."""
    return Examples.of(question.problem, question.read() if question.rests_on_prior else question.dataset)


def laid(question: Question, X: Array, s: Array, rng: np.random.Generator, each: int) -> Drawn:
    """Lay films through compositions, in structures that hold their elements but for traces.

    Args:
        question: The problem and what is known.
        X: `j x d` legal compositions.
        s: Shares of end B at the devices, `K`.
        rng: For every draw.
        each: Films through each composition, at most.

    Returns:
        Films by structure; compositions that no structure at hand holds are left out.
    """
    holding = dict[tuple[int, bytes], tuple[FilmStructure, list[int]]]()
    for row, x in enumerate(X):
        for structure in _holding(question, x > TRACE, rng, each):
            alike = (id(structure.region), structure.fixed.tobytes())  # of equal regions there is one: they are kept
            holding.setdefault(alike, (structure, []))[1].append(row)
    process = best_read(question).X[:READ, question.problem.space.dimension :]
    films: Drawn = []
    for structure, here in holding.values():
        anchors = np.hstack([X[here], process[rng.integers(len(process), size=len(here))]])
        films.append((structure, _exactly(anchors, structure, s, rng)))
    return films


def _exactly(anchors: Array, structure: FilmStructure, s: Array, rng: np.random.Generator) -> Array:
    """Films with a device on each anchor (b x (d + p)); about there, where no direction that was tried allows one.

    Direction, device and length are drawn; one in `1 / FLAT` is as short as the rules allow.
    """
    films = _along(np.repeat(anchors, TRIED, axis=0), structure, s, rng).reshape(len(anchors), TRIED, -1)
    good = np.asarray(np.isfinite(films).all(axis=2))
    first = films[np.arange(len(anchors)), good.argmax(axis=1)]
    near = through(anchors, structure, structure.region.sample(len(anchors), rng, STEPS), s, rng)
    return np.where(good.any(axis=1, keepdims=True), first, near)


def _along(anchors: Array, structure: FilmStructure, s: Array, rng: np.random.Generator) -> Array:
    """Films with a device on each anchor (b x (d + p)) along a drawn direction each; not finite where there is none."""
    d, b = len(structure.support), len(anchors)
    drawn = structure.region.sample(b, rng, STEPS)
    x = np.where(structure.support, anchors[:, :d], 0.0)
    x = x / x.sum(axis=1, keepdims=True)
    device, gradient = rng.choice(s, size=b)[:, None], drawn[:, d : 2 * d] - drawn[:, :d]
    start = np.hstack([x, x, anchors[:, d:][:, structure.free]])
    along = np.hstack([-device * gradient, (1.0 - device) * gradient, np.zeros((b, len(structure.free)))])
    least, most = multiples(structure, start, along)
    possible = np.isfinite(most)
    least, most = np.where(possible, least, 0.0), np.where(possible, most, 0.0)
    films = start + (least + rng.random(b) * (rng.random(b) > FLAT) * (most - least))[:, None] * along
    possible &= is_inside(structure, films)
    return np.where(possible[:, None], films, np.nan)


def _holding(
    question: Question, present: NDArray[np.bool_], rng: np.random.Generator, each: int
) -> list[FilmStructure]:
    """Structures, at most `each`, that hold some elements (d): of the problem's where these are all, else their own."""
    if question.structures.complete:
        items = question.structures.items
        fitting = [k for k, structure in enumerate(items) if not (present & ~structure.support).any()]
        return [items[k] for k in rng.permutation(np.array(fitting, dtype=int))[:each]]
    own = own_structure(question.problem.space, question.problem.film, present, rng)
    return [] if own is None else [own] * each
