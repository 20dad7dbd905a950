"""Is a generator fit for use? Figures of one version, and a verdict: healthy, collapsed or memorising.

Everything is judged on examples that the generator has not seen, and on its own draws. `collapsed`: draws that
hardly differ from each other, or a code that says nothing. `memorising`: draws that lie nearer to the examples of the
training than unseen examples do, so that they are copies. Neither may be used.

Source of the second: Meehan, Chaudhuri, Dasgupta 2020, A Three Sample Test to Detect Data Copying (arXiv 2004.05675).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist
from scipy.stats import rankdata

from models.composition import SearchSpace
from models.generators.base import Examples, Generator, Wish
from models.generators.two_sample import two_sample_test

Array = NDArray[np.float64]
Oracle = Callable[[Array], Array]
"""From `j x d` compositions to `j x m` properties, fitted on other data than the generator."""
Verdict = Literal["healthy", "collapsed", "memorising"]

DRAWN = 512
"""Draws that are judged."""
SAME = 0.01
"""Draws that differ by less, in L1, are one and the same."""
NOVEL = 0.2
"""Beyond this distance, in L1, from every known composition a draw is novel."""
TOO_ALIKE = 0.25
"""Share of the examples' own mean distance below which draws are collapsed."""
SILENT = 0.5
"""Nats of the code below which it says nothing."""
COPIES = 0.75
"""Chance that a draw is nearer to the training than an unseen example, beyond which it is a copy; 0.5 is as near."""
TARGETS = 9
"""Targets, at even quantiles, at which the conditional error is taken, with `PER_TARGET` draws each."""
PER_TARGET = 16


@dataclass(frozen=True)
class Health:
    """What is known of one version of a generator. Figures that it cannot have are NaN."""

    verdict: Verdict
    two_sample_test: float
    """Draws against unseen examples: 0 not to be told apart, 1 told apart (`models/generators/two_sample.py`)."""
    validity: float
    """Share of the draws that obeyed the campaign's rules before they were brought to them."""
    uniqueness: float
    """Share of the draws that no earlier draw equals."""
    novel_share: float
    """Share of the draws beyond `NOVEL` from every known composition."""
    copying: float
    """Chance that a draw is nearer to the training than an unseen example."""
    diversity: float
    """Mean distance between draws over that between examples."""
    frequency_error: float
    """Mean absolute difference of the elements' frequencies between draws and unseen examples."""
    elements_drawn: float
    """Mean number of elements of a draw."""
    elements_real: float
    """Mean number of elements of an unseen example."""
    support_accuracy: float
    """Share of the unseen examples whose elements come back exactly from their code."""
    reconstruction: float
    """Mean L1 distance between unseen examples and what comes back from their code."""
    elbo: float
    """Variational bound on unseen examples, in nats per example, with β = 1 and no free bits."""
    importance_bound: float
    """Importance-weighted bound on them."""
    kl: float
    """Divergence of their codes from N(0, I), in nats per example."""
    kl_per_dimension: tuple[float, ...]
    active_units: int
    """Code dimensions in use; 0 for a generator without a code."""
    conditional_error: float
    """Mean absolute difference between targets and what the oracle says of the draws for them."""

    def as_json(self) -> dict[str, Any]:
        """Plain numbers; None for what is not known."""
        told = asdict(self) | {"kl_per_dimension": list(self.kl_per_dimension)}
        return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in told.items()}


def health(
    generator: Generator,
    trained: Examples,
    unseen: Examples,
    *,
    seed: int,
    space: SearchSpace | None = None,
    oracle: Oracle | None = None,
) -> Health:
    """Judge a generator.

    Args:
        generator: Fitted to `trained`.
        trained: What it has seen.
        unseen: What it has not seen, of the same kind.
        seed: Of the draws.
        space: The campaign's rules.
        oracle: If given, the conditional error of the first property is taken.
    """
    draws = generator.draw(Wish.anything(trained, space), DRAWN, seed=seed)
    X = draws.X
    known = np.vstack([trained.X, unseen.X])
    code = generator.information(unseen, seed=seed) if len(unseen) else {}
    use = generator.information(trained, seed=seed).get("active_units", 0)
    copying, diversity = copying_chance(X, trained.X, unseen.X), _mean_distance(X) / max(_mean_distance(known), 1e-12)
    back = generator.reconstruct(unseen) if len(unseen) else None
    present, real = X > 0.0, unseen.X > 0.0
    return Health(
        verdict=verdict(copying, diversity, code.get("kl")),
        two_sample_test=two_sample_test(X, unseen.X, seed),
        validity=draws.validity,
        uniqueness=_uniqueness(X),
        novel_share=novel_share(X, known),
        copying=copying,
        diversity=diversity,
        frequency_error=float(np.abs(present.mean(axis=0) - real.mean(axis=0)).mean()) if len(real) else np.nan,
        elements_drawn=float(present.sum(axis=1).mean()),
        elements_real=float(real.sum(axis=1).mean()) if len(real) else np.nan,
        support_accuracy=np.nan if back is None else float(((back > 0.0) == real).all(axis=1).mean()),
        reconstruction=np.nan if back is None else float(np.abs(back - unseen.X).sum(axis=1).mean()),
        elbo=code.get("elbo", np.nan),
        importance_bound=code.get("importance_bound", np.nan),
        kl=code.get("kl", np.nan),
        kl_per_dimension=tuple(code.get("kl_per_dimension", ())),
        active_units=use,
        conditional_error=conditional_error(generator, trained, oracle, seed=seed, space=space) if oracle else np.nan,
    )


def verdict(copying: float, diversity: float, kl: float | None) -> Verdict:
    """Collapsed, memorising or healthy, in this order.

    Args:
        copying: See `Health`; NaN counts as no sign of copying.
        diversity: See `Health`.
        kl: Nats in the code; None for a generator without a code.
    """
    if diversity < TOO_ALIKE or (kl is not None and kl < SILENT):
        return "collapsed"
    return "memorising" if copying > COPIES else "healthy"


def copying_chance(drawn: Array, trained: Array, unseen: Array) -> float:
    """Chance that a draw lies nearer to the training than an unseen example does; ties count half. NaN without any."""
    if not len(unseen) or not len(trained):
        return float("nan")
    near = np.concatenate([cdist(points, trained, "cityblock").min(axis=1) for points in (drawn, unseen)])
    ranks = rankdata(near)[: len(drawn)]
    above = (ranks.sum() - len(drawn) * (len(drawn) + 1) / 2.0) / (len(drawn) * len(unseen))
    return float(1.0 - above)


def novel_share(drawn: Array, known: Array, beyond: float = NOVEL) -> float:
    """Share of the draws that are farther than `beyond`, in L1, from every known composition."""
    return float(np.mean(cdist(drawn, known, "cityblock").min(axis=1) > beyond))


def conditional_error(
    generator: Generator, trained: Examples, oracle: Oracle, *, seed: int, space: SearchSpace | None = None
) -> float:
    """Mean absolute difference between targets of the first property and what the oracle says of the draws for them."""
    known = trained.Y[np.isfinite(trained.Y[:, 0]), 0]
    if not len(known):
        return float("nan")
    wanted = Wish.anything(trained, space)
    errors = []
    for number, target in enumerate(np.quantile(known, np.linspace(0.05, 0.95, TARGETS))):
        targets = np.where(np.arange(len(wanted.targets)) == 0, target, np.nan)
        draws = generator.draw(Wish(targets, wanted.process, space), PER_TARGET, seed=seed + number)
        errors.append(float(np.abs(oracle(draws.X)[:, 0] - target).mean()))
    return float(np.mean(errors))


def _uniqueness(X: Array) -> float:
    """Share of the draws that differ by `SAME` or more from all before them."""
    same = np.tril(cdist(X, X, "cityblock") < SAME, k=-1)
    return float(np.mean(~same.any(axis=1)))


def _mean_distance(X: Array) -> float:
    return float(pdist(X, "cityblock").mean()) if len(X) > 1 else 0.0
