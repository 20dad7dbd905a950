"""Compositions for wanted values, as a researcher asks for them: drawn, brought to the rules, predicted, judged.

The campaign's generator draws; without one that may be used, what was read is jittered; before anything was read, draws
are even. The surrogate says what each is expected to have, and the likeliest come first. Nothing is hidden: a draw that
is not expected to do is told so.
"""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.spatial.distance import cdist
from scipy.special import ndtr

from models.catalog import NeighbourJitter, UniformSimplex
from models.composition import ProcessValues
from models.dataset import Dataset
from models.generators.base import Draws, Examples, Generator, Wish
from models.generators.health import NOVEL, SAME
from models.generators.neighbour_jitter import NeighbourJitterGenerator
from models.generators.uniform_simplex import UniformSimplexGenerator
from models.objective import OutcomeConstraint, Property
from models.policies.base import asked_of
from models.policies.generated import wishes
from models.problem import Problem
from models.surrogates.base import ModelBundle, Prediction
from models.surrogates.posterior_map import middle_process
from models.wanted import Target, Wanted, narrowed

Array = NDArray[np.float64]

Source = Literal["generator", "jitter", "uniform"]

DRAWN = 4
"""Draws for each composition of the answer."""
LEAST = 1e-12
"""Chances below this count as this."""
LIKELY = 0.5
"""Least chance of a target or of limits that passes."""


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class Expected(_Told):
    """What is expected of one property, in its own unit."""

    mean: float
    sd: float


class Verdict(_Told):
    """What one test says of a composition."""

    name: str
    """`rules`, `novelty`, or the name of a property with a target or with limits."""
    passed: bool
    reason: str


class Design(_Told):
    """One composition."""

    composition: dict[str, float]
    predicted: dict[str, Expected] | None
    """By property; none without a model."""
    novelty: float | None
    """Sum of the absolute differences of fractions from the nearest composition that was read; none if nothing was."""
    verdicts: tuple[Verdict, ...]


class Designs(_Told):
    """The answer."""

    drawn_by: Source
    process: ProcessValues
    """At which was predicted."""
    compositions: tuple[Design, ...]
    """The likeliest to be what is wanted first."""


@dataclass(frozen=True)
class Known:
    """What an answer rests on."""

    problem: Problem
    """Whose rules hold, beside those that are wanted."""
    bundle: ModelBundle | None
    """Trained on the dataset; None if there is no model."""
    generator: Generator | None
    """Of the problem's elements and properties; None if there is none that may be used."""
    dataset: Dataset


def design(known: Known, wanted: Wanted, *, seed: int) -> Designs:
    """Draw, predict and judge compositions.

    Args:
        known: Problem, models and readings.
        wanted: What is asked for, of the problem's properties.
        seed: The same seed gives the same answer.

    Raises:
        ValueError: If the rules together leave no composition.
        InvalidComposition: If the process values are not the problem's.
    """
    problem, bundle = known.problem, known.bundle
    columns = middle_process(problem.space) if wanted.process is None else problem.space.encode_process(wanted.process)
    examples = Examples.of(problem, known.dataset)
    drawn_by, source = _source(known, examples, seed)
    X, moved = _distinct(_drawn(known, source, wanted, seed))
    read = np.unique(examples.X, axis=0)
    far = cdist(X, read, "cityblock").min(axis=1) if len(read) else np.full(len(X), np.nan)
    points = np.hstack([X, np.tile(columns, (len(X), 1))])
    none = np.full((len(X), len(problem.properties)), np.nan)
    expected = bundle.predict(problem, points) if bundle else Prediction(none, none)
    order = _likeliest_first(problem, wanted, expected)[: wanted.count]
    answers = (_Composition(X[k], moved[k], far[k], expected.mean[k], expected.sd[k]) for k in order)
    return Designs(
        drawn_by=drawn_by,
        process=problem.space.decode_process(columns),
        compositions=tuple(_design(problem, wanted, answer) for answer in answers),
    )


class _Composition(NamedTuple):
    """One draw: fractions (d), how far the rules moved it, how far it is from any that was read, mean and sd (m)."""

    x: Array
    moved: float
    far: float
    mean: Array
    sd: Array


def _source(known: Known, examples: Examples, seed: int) -> tuple[Source, Generator]:
    """Who draws."""
    if known.generator is not None:
        return "generator", known.generator
    if len(examples):
        jitter = NeighbourJitterGenerator.fit(NeighbourJitter(), examples, seed=seed, previous=None, progress=_silent)
        return "jitter", jitter[0]
    even = UniformSimplexGenerator.fit(UniformSimplex(), examples, seed=seed, previous=None, progress=_silent)
    return "uniform", even[0]


def _silent(_phase: str) -> None:
    """Tell nobody."""


def _drawn(known: Known, source: Generator, wanted: Wanted, seed: int) -> Draws:
    """Draws under all rules."""
    problem = known.problem
    space, count = narrowed(problem.space, wanted.constraints), DRAWN * wanted.count
    if wanted.targets or known.bundle is None:
        targets = [_target(p, wanted) for p in problem.properties]
        values = [np.nan if target is None else target.value for target in targets]
        anything = np.full(len(problem.space.process_columns), np.nan)
        return source.draw(Wish(np.array(values), anything, space), count, seed=seed)
    beyond = wishes(asked_of(problem, known.bundle.surrogate, known.dataset, seed))
    each = -(-count // len(beyond))
    parts = [source.draw(replace(w, space=space), each, seed=seed + k) for k, w in enumerate(beyond)]
    return Draws(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("X", "moved", "mean", "sd")))


def _distinct(draws: Draws) -> tuple[Array, Array]:
    """Draws (j x d) that differ from all before them, and how far the rules moved them."""
    same = np.tril(cdist(draws.X, draws.X, "cityblock") < SAME, k=-1).any(axis=1)
    return draws.X[~same], draws.moved[~same]


def _likeliest_first(problem: Problem, wanted: Wanted, expected: Prediction) -> NDArray[np.intp]:
    """Rows as wanted: nearest to the targets, or best by the objectives; without a model in the order of the draws."""
    mean, sd = expected
    if np.isnan(mean).all():
        return np.arange(len(mean))
    spread = np.maximum(mean.std(axis=0), np.finfo(np.float64).tiny)
    worth = np.zeros(len(mean))
    for k, p in enumerate(problem.properties):
        if (target := wanted.targets.get(p.property)) is not None:
            worth += _nearness(target, mean[:, k], sd[:, k], float(spread[k]))
        elif not wanted.targets and not isinstance(p, OutcomeConstraint):
            worth += p.utility().expected(p.to_modelled(mean[:, k]), sd[:, k]) / spread[k]
        if isinstance(p, OutcomeConstraint):
            worth += np.log(np.maximum(p.chance(mean[:, k], sd[:, k]), LEAST))
    return np.argsort(-worth, kind="stable")


def _nearness(target: Target, mean: Array, sd: Array, spread: float) -> Array:
    """How well targets are met: the logarithm of the chance, or how far off in sd of the draws without a tolerance."""
    if target.tolerance is None:
        return np.asarray(-np.hypot(mean - target.value, sd) / spread)
    return np.asarray(np.log(np.maximum(_chance(target.value, target.tolerance, mean, sd), LEAST)))


def _chance(value: float, tolerance: float, mean: Array, sd: Array) -> Array:
    """Probability of normal values to lie within a tolerance of a value."""
    width = np.maximum(sd, np.finfo(np.float64).tiny)
    return np.asarray(ndtr((value + tolerance - mean) / width) - ndtr((value - tolerance - mean) / width))


def _design(problem: Problem, wanted: Wanted, answer: _Composition) -> Design:
    x, moved, far, mean, sd = answer
    known = bool(np.isfinite(mean).all())
    verdicts = [Verdict(name="rules", passed=True, reason=_moved(float(moved)))]
    if np.isfinite(far):
        reason = f"differs by {far:.2f} from the nearest composition read; {NOVEL:g} or more is novel"
        verdicts.append(Verdict(name="novelty", passed=bool(far > NOVEL), reason=reason))
    for k, p in enumerate(problem.properties):
        target = _target(p, wanted)
        if known and target is not None:
            verdicts.append(_of_target(p.property, p.unit, target, float(mean[k]), float(sd[k])))
        if known and isinstance(p, OutcomeConstraint):
            chance = float(p.chance(mean[k], sd[k]))
            reason = f"keeps within its limits with a chance of {chance:.2f}"
            verdicts.append(Verdict(name=p.property, passed=chance >= LIKELY, reason=reason))
    expected = {p.property: Expected(mean=mean[k], sd=sd[k]) for k, p in enumerate(problem.properties)}
    return Design(
        composition=dict(zip(problem.space.elements, x.tolist(), strict=True)),
        predicted=expected if known else None,
        novelty=float(far) if np.isfinite(far) else None,
        verdicts=tuple(verdicts),
    )


def _target(sought: Property, wanted: Wanted) -> Target | None:
    """What a property should be: as asked, or as the campaign itself wants it where the question names nothing."""
    if wanted.targets:
        return wanted.targets.get(sought.property)
    if isinstance(sought, OutcomeConstraint) or sought.target is None:
        return None
    return Target(value=sought.target, tolerance=sought.tolerance or None)


def _moved(moved: float) -> str:
    return "obeys every rule" + (f", once moved by {moved:.2g}" if moved > SAME else "")


def _of_target(name: str, unit: str, target: Target, mean: float, sd: float) -> Verdict:
    """Whether a target is likely to be met; without a tolerance, whether it lies within two deviations."""
    if target.tolerance is None:
        off = abs(mean - target.value)
        return Verdict(
            name=name, passed=off <= 2.0 * sd, reason=f"expected {off:.3g} {unit} from its target, sd {sd:.3g}"
        )
    chance = float(_chance(target.value, target.tolerance, np.array(mean), np.array(sd)))
    reason = f"within {target.value:g} ± {target.tolerance:g} {unit} with a chance of {chance:.2f}"
    return Verdict(name=name, passed=chance >= LIKELY, reason=reason)
