"""Generators on 630 alloys of 30 elements, of which 377 have a hardness.

Run: `python -m benchmarks.generators.mpea --seeds 10 11 12 13 14 15 --write`

By seed, a fifth of the alloys is held out. Of the others the generators see every composition, but the hardness of only
half of the alloys that have one. The oracle, 300 extremely randomised trees, is fitted on the hardness of the other
half, which no generator has seen: another family on other data. So a draw scores only if what the generator learned
about hardness holds elsewhere. Targets are 19 even quantiles of the hardness that was seen, 25 draws each. The defaults
were chosen on seeds 0 to 2; figures are for other seeds.

| figure | meaning |
| --- | --- |
| two_sample_test | draws against held-out alloys, five nearest neighbours; 0 not told apart, 1 told apart |
| two_sample_forest | the same by a random forest, 2 AUC - 1: a sharper judge, it sees that alloys are equimolar |
| support_accuracy | held-out alloys whose elements come back exactly from their code |
| conditional_error | mean absolute difference of target and oracle in HV; `of_novel`: of the novel draws among them |
| novel_share | draws for targets that are more than 0.2 (L1) from every known alloy, seen or not |
| novel_share_free | the same of draws without a target |

Columns: each generator; `conditional_vae_unweighed` leaves the weighing of draws by the predicted hardness out;
`weighed_jitter` weighs jittered alloys in the same way, so that the gain of weighing and that of the model are told
apart; `resampled_data` repeats alloys that were seen, with replacement, as a floor for the tests.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Protocol

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from benchmarks.generators.tables import Table, mpea
from benchmarks.provenance import heading, markdown_table, provenance
from models.catalog import ConditionalVAE, GeneratorChoice, NeighbourJitter, UniformSimplex
from models.generation import train_generator
from models.generators.base import Draws, Examples, Generator, Wish
from models.generators.element_features import element_features
from models.generators.health import health, novel_share
from models.generators.two_sample import two_sample_test
from models.generators.vae_generator import VAEGenerator

Array = NDArray[np.float64]
Figures = dict[str, float]

RESULTS = Path(__file__).parents[1] / "results" / "generators"
HELD_OUT = 0.2
FREE_DRAWS = 504
QUANTILES = np.linspace(0.05, 0.95, 19)
PER_TARGET = 25


class Split:
    """What generators see, what is held out, and the oracle."""

    def __init__(self, table: Table, seed: int) -> None:
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(table.X))
        out = order[: int(HELD_OUT * len(order))]
        seen = order[len(out) :]
        labelled = np.flatnonzero(np.isfinite(table.y))
        shown = rng.permutation(seen[np.isfinite(table.y[seen])])[: len(labelled) // 2]
        hidden = np.setdiff1d(labelled, shown)
        y = np.where(np.isin(np.arange(len(table.y)), shown), table.y, np.nan)
        self.table, self.shown = table, table.y[shown]
        self.trained, self.unseen = (_examples(table, y, rows) for rows in (seen, out))
        self._features = element_features(table.elements)
        self._trees = ExtraTreesRegressor(300, random_state=seed).fit(self._inputs(table.X[hidden]), table.y[hidden])

    def oracle(self, X: Array) -> Array:
        """Hardness (j x 1) of compositions (j x d)."""
        return np.asarray(self._trees.predict(self._inputs(X)))[:, None]

    def oracle_error(self) -> float:
        """Mean absolute error of the oracle on the alloys whose hardness the generators see."""
        known = np.isfinite(self.trained.Y[:, 0])
        return float(np.abs(self.oracle(self.trained.X[known]) - self.trained.Y[known]).mean())

    def _inputs(self, X: Array) -> Array:
        mean = X @ self._features
        spread = np.sqrt(np.maximum(X @ self._features**2 - mean**2, 0.0))
        return np.hstack([X, mean, spread])


def _examples(table: Table, y: Array, rows: NDArray[np.intp]) -> Examples:
    """Each alloy is a group of its own."""
    names = np.array([f"alloy-{row:04d}" for row in rows])
    return Examples(table.elements, ("hardness",), (), table.X[rows], y[rows, None], np.empty((len(rows), 0)), names)


class WeighedJitter:
    """The jitter of every alloy that was seen, weighed by what the model expects: what weighing alone does."""

    def __init__(self, model: VAEGenerator, split: Split) -> None:
        self.model = model
        choice = NeighbourJitter(neighbours=1000, exchanged=0.0)
        self.jitter = train_generator(choice, split.trained, seed=0).generator

    def draw(self, wish: Wish, count: int, *, seed: int) -> Draws:
        """Draw the same pool as the model does, around the alloys, and keep what is likely to meet the target."""
        pool = self.jitter.draw(wish, count * self.model.options.pool, seed=seed)
        kept = self.model.likeliest(pool.X, wish, count, np.random.default_rng(seed))
        return Draws(pool.X[kept], pool.moved[kept], pool.mean[kept], pool.sd[kept])


class Drawing(Protocol):
    """Whatever draws for a wish."""

    def draw(self, wish: Wish, count: int, *, seed: int) -> Draws:
        """Draw compositions."""
        ...


def figures_of(generator: Generator, split: Split, seed: int) -> Figures:
    """Every figure of one generator on one split."""
    free = generator.draw(Wish.anything(split.trained), FREE_DRAWS, seed=seed).X
    told = health(generator, split.trained, split.unseen, seed=seed)
    figures = {
        "two_sample_test": two_sample_test(free, split.unseen.X, seed),
        "two_sample_forest": forest_test(free, split.unseen.X, seed),
        "active_units": float(told.active_units),
        "support_accuracy": told.support_accuracy,
        "reconstruction_l1": told.reconstruction,
        "elbo": told.elbo,
        "importance_bound": told.importance_bound,
        "kl": told.kl,
        "copying": told.copying,
        "uniqueness": told.uniqueness,
        "novel_share_free": novel_share(free, split.table.X),
        "healthy": float(told.verdict == "healthy"),
    }
    return figures | conditional(generator, split, seed)


def conditional(generator: Drawing, split: Split, seed: int) -> Figures:
    """How near to the targets the draws for them are, as the oracle sees it."""
    began = time.process_time()
    targets = np.quantile(split.shown, QUANTILES)
    wishes = [Wish(np.array([target]), np.empty(0)) for target in targets]
    drawn = np.vstack([generator.draw(w, PER_TARGET, seed=seed * 1000 + k).X for k, w in enumerate(wishes)])
    used = time.process_time() - began
    errors = np.abs(split.oracle(drawn)[:, 0] - np.repeat(targets, PER_TARGET))
    novel = np.array([novel_share(x[None], split.table.X) for x in drawn]) > 0.0
    return {
        "conditional_error": float(errors.mean()),
        "conditional_error_of_novel": float(errors[novel].mean()) if novel.any() else float("nan"),
        "novel_share": float(novel.mean()),
        "draw_cpu_seconds": used,
    }


def forest_test(drawn: Array, real: Array, seed: int) -> float:
    """Twice the cross-validated area under the curve of a random forest, minus 1, on equally many of both."""
    size = min(len(drawn), len(real))
    points, side = np.vstack([drawn[:size], real[:size]]), np.repeat([0, 1], size)
    judge, folds = RandomForestClassifier(100, random_state=seed), StratifiedKFold(3, shuffle=True, random_state=seed)
    chance = cross_val_predict(judge, points, side, cv=folds, method="predict_proba")[:, 1]
    return 2.0 * float(roc_auc_score(side, chance)) - 1.0


def resampled(split: Split, seed: int) -> Figures:
    """Alloys that were seen, drawn with replacement: the floor of the tests."""
    X = split.trained.X[np.random.default_rng(seed).integers(len(split.trained), size=FREE_DRAWS)]
    return {
        "two_sample_test": two_sample_test(X, split.unseen.X, seed),
        "two_sample_forest": forest_test(X, split.unseen.X, seed),
        "novel_share_free": 0.0,
        "oracle_error": split.oracle_error(),
    }


def runs_of(table: Table, seed: int, choices: dict[str, GeneratorChoice]) -> dict[str, Figures]:
    """Figures of each generator on the split of one seed."""
    split, found = Split(table, seed), dict[str, Figures]()
    for name, choice in choices.items():
        bundle = train_generator(choice, split.trained, seed=seed)
        used = {"train_cpu_seconds": bundle.metrics["cpu_seconds"]}
        found[name] = figures_of(bundle.generator, split, seed) | used
        if isinstance(bundle.generator, VAEGenerator):
            found[f"{name}_unweighed"] = conditional(bundle.generator.with_options(pool=1), split, seed)
            found["weighed_jitter"] = conditional(WeighedJitter(bundle.generator, split), split, seed)
    found["resampled_data"] = resampled(split, seed)
    for name, figures in found.items():
        print(seed, name, json.dumps({k: round(v, 3) for k, v in figures.items() if np.isfinite(v)}), flush=True)
    return found


def summary(found: dict[str, list[Figures]]) -> dict[str, Figures]:
    """Mean over the seeds of each figure, and its standard error as `<figure>_se`; figures that nobody has left out."""
    told: dict[str, Figures] = {}
    for name, runs in found.items():
        told[name] = {}
        for key in runs[0]:
            values = np.array([run[key] for run in runs if np.isfinite(run[key])])
            if len(values):
                told[name][key] = float(values.mean())
            if len(values) > 1:
                told[name][f"{key}_se"] = float(values.std(ddof=1) / np.sqrt(len(values)))
    return told


def paired(found: dict[str, list[Figures]]) -> Figures:
    """Conditional error of the model minus that of the jitter, seed by seed."""
    names = ("conditional_vae", "neighbour_jitter")
    ours, theirs = ([run["conditional_error"] for run in found[name]] for name in names)
    gap = np.array(ours) - np.array(theirs)
    error = float(gap.std(ddof=1) / np.sqrt(len(gap))) if len(gap) > 1 else float("nan")
    return {"mean": float(gap.mean()), "standard_error": error, "seeds_below": float((gap < 0.0).sum())}


SHOWN = (
    "two_sample_test",
    "two_sample_forest",
    "active_units",
    "support_accuracy",
    "conditional_error",
    "conditional_error_of_novel",
    "novel_share",
    "novel_share_free",
    "copying",
    "train_cpu_seconds",
)


def page(facts: dict[str, object], told: dict[str, Figures], gap: Figures) -> str:
    """The result as Markdown: mean and standard error over the seeds."""
    rows = [
        {"figure": key} | {name: _cell(figures, key) for name, figures in told.items()}
        for key in SHOWN
    ]  # fmt: skip
    where = "\n".join(f"- {key}: {value}" for key, value in facts.items())
    difference = (
        f"Conditional error of conditional_vae minus neighbour_jitter, paired by seed: {gap['mean']:.1f} ± "
        f"{gap['standard_error']:.1f} HV, below on {gap['seeds_below']:.0f} seeds. The oracle itself is off by "
        f"{told['resampled_data']['oracle_error']:.0f} HV on alloys that it has not seen."
    )
    explained = (__doc__ or "").split("\n\n", 1)[1]
    return f"# Generators on the mpea alloys\n\n{where}\n\n{explained}\n{markdown_table(rows)}\n\n{difference}\n"


def _cell(figures: Figures, key: str) -> str:
    if key not in figures:
        return "-"
    error = figures.get(f"{key}_se")
    return f"{figures[key]:.3g}" if error is None else f"{figures[key]:.3g} ± {error:.2g}"


def main() -> None:
    """Print each run, and store the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12, 13, 14, 15])
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results/generators")
    options = parser.parse_args()
    facts = provenance() | {"seeds": options.seeds}
    print(heading("generators on the mpea alloys"))
    choices: dict[str, GeneratorChoice] = {
        "conditional_vae": ConditionalVAE(),
        "neighbour_jitter": NeighbourJitter(exchanged=0.0),
        "uniform_simplex": UniformSimplex(),
    }
    table, found = mpea(), dict[str, list[Figures]]()
    for number, seed in enumerate(options.seeds):
        for name, figures in runs_of(table, seed, choices).items():
            found.setdefault(name, []).append(figures)
        if options.write:  # after every seed: a study that is interrupted keeps what it has
            write({**facts, "seeds": options.seeds[: number + 1]}, found)
    print(page(facts, summary(found), paired(found)))


def write(facts: dict[str, object], found: dict[str, list[Figures]]) -> None:
    """Keep the table as JSON and as Markdown."""
    told, gap = summary(found), paired(found)
    RESULTS.mkdir(parents=True, exist_ok=True)
    stored = {**facts, "generators": told, "error_minus_jitter": gap, "runs": found}
    (RESULTS / "mpea.json").write_text(json.dumps(_plain(stored), indent=1) + "\n")
    (RESULTS / "mpea.md").write_text(page(facts, told, gap))


def _plain(value: object) -> object:
    """The same without figures that are not known, for which JSON has no number."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if not (isinstance(v, float) and not np.isfinite(v))}
    return [_plain(v) for v in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
