"""Loops whose pool of candidates comes from a generator, against pools from elsewhere.

Run: `python -m benchmarks.generators.loops --task invar --seeds 30 --write`
     `python -m benchmarks.generators.loops --task wide --seeds 30 --write`

Each round an arm lays a pool of 256 legal compositions, a Gaussian process fitted to what was read chooses five of them
by expected improvement, one after the other, and they are read. Arms share the process, the first readings and the
noise; only the pool differs. Targets for generators are better than the best by a quarter of the readings' sd.

| task | truth | elements and rules |
| --- | --- | --- |
| invar | trees fitted to 699 published thermal expansions; to be small | Fe Ni Co Cr V Cu, none |
| wide | a formula with five narrow ridges; to be large | 12, at most 5 present, two groups of at most 2, totals |

Arms: `uniform` draws evenly, `lattice` takes compositions in steps of 5 at.%, `jitter` and `vae` are the generators
(retrained each round, warm), `mixed` takes a third each of uniform, jitter and vae, and says which of them won.
With `--log FILE` a study may be cut and go on: each campaign is a line there, and is not played again.
Figures: regret of the best true value read, in sd of the property; rounds until within the best 1 % of 4,000 even draws
(`goal`), and until within 1 sd of the best there is (`near`), one more than there are where that never was; differences
paired by seed. A composition stands for a uniform film.
"""

import argparse
import csv
import gzip
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, ttest_1samp
from sklearn.ensemble import ExtraTreesRegressor

from benchmarks.decisions.data import data_file
from benchmarks.provenance import heading, markdown_table, provenance
from models.catalog import ConditionalVAE, GeneratorChoice, NeighbourJitter
from models.composition import GroupRule, SearchSpace
from models.generation import GeneratorBundle, train_generator
from models.generators.base import Examples, Wish
from models.generators.element_features import element_features
from models.generators.legal import legal
from models.generators.property_head import PropertyHead

Array = NDArray[np.float64]

RESULTS = Path(__file__).parents[1] / "results" / "generators"
ARMS = ("uniform", "lattice", "jitter", "vae", "mixed")
FIRST, BATCH, POOL = 12, 5, 256
NOISE = 0.05
"""Of a reading, in sd of the property."""
AHEAD = 0.25
LATTICE = 20
EVEN = 4000


@dataclass(frozen=True)
class Landscape:
    """A property to be maximised over compositions."""

    space: SearchSpace
    truth: Callable[[Array], Array]
    """`j x d` to `j`."""
    sd: float
    best: float
    goal: float
    """Value of the best 1 % of even draws."""


def landscape(space: SearchSpace, truth: Callable[[Array], Array], tops: Array | None = None) -> Landscape:
    """Say how a property is spread over its space; the best is climbed to from the best draws, and from `tops`."""
    X = space.sample(EVEN, seed=1)
    y = truth(X)
    rng, top = np.random.default_rng(2), X[np.argsort(-y)[:50]]
    top = top if tops is None else np.vstack([top, legal(tops, space, seed=0)[0]])
    for step in np.geomspace(0.1, 0.002, 12):
        near = np.repeat(top, 40, axis=0)
        moved = np.maximum(near * np.exp(step * 3.0 * rng.standard_normal(near.shape)), 0.0)
        tried = np.vstack([top, legal(moved / moved.sum(axis=1, keepdims=True), space, seed=0)[0]])
        top = tried[np.argsort(-truth(tried))[:50]]
    return Landscape(space, truth, float(y.std()), float(truth(top).max()), float(np.quantile(y, 0.99)))


def invar() -> Landscape:
    """Thermal expansion of Fe-Ni-Co-Cr-V-Cu alloys, by trees fitted to the prior part of the published table.

    Raises:
        DataAbsent: If the table is not on this machine.
    """
    elements = ("Fe", "Ni", "Co", "Cr", "V", "Cu")
    with gzip.open(data_file("invar_hea", "data_base.csv.gz"), "rt", encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))[:699]
    X = np.array([[float(row[e]) for e in elements] for row in rows])
    y = np.array([float(row["TEC"]) for row in rows])
    trees = ExtraTreesRegressor(200, random_state=0, min_samples_leaf=2).fit(X / X.sum(axis=1, keepdims=True), y)
    return landscape(SearchSpace(elements=elements), lambda Z: -np.asarray(trees.predict(Z)))


def wide() -> Landscape:
    """Twelve elements whose supports are too many to be searched one by one."""
    elements = ("Fe", "Co", "Ni", "Cr", "Mn", "Al", "Ti", "V", "Mo", "W", "Cu", "Zr")
    groups = (
        GroupRule(name="all", elements=elements, max_present=5),
        GroupRule(name="refractory", elements=("Mo", "W", "Zr", "Ti"), upper=0.4, max_present=2),
        GroupRule(name="light", elements=("Al", "Ti", "V"), upper=0.5, max_present=2),
        GroupRule(name="magnetic", elements=("Fe", "Co", "Ni"), lower=0.2),
    )
    return landscape(SearchSpace(elements=elements, groups=groups), ridges, np.array([c for _, c in _ridges()]))


def ridges(X: Array) -> Array:
    """Five ridges, each about one mix of four elements: a broad slope towards the right elements, a narrow top."""
    value = np.zeros(len(X))
    for height, centre in _ridges():
        off = ((X - centre) ** 2).sum(axis=1)
        value += height * (0.4 * np.exp(-off / 0.3) + 0.6 * np.exp(-off / 0.02))
    return value


def _ridges() -> list[tuple[float, Array]]:
    """Height and top (12 fractions) of each."""
    rng, found = np.random.default_rng(5), list[tuple[float, Array]]()
    for height in (1.0, 0.85, 0.7, 0.6, 0.5):
        members = np.concatenate([rng.permutation(3)[:2], 3 + rng.permutation(9)[:2]])
        centre = np.zeros(12)
        centre[members] = rng.dirichlet(np.full(4, 4.0))
        found.append((height, centre))
    return found


def campaign(land: Landscape, arm: str, seed: int, rounds: int, model: ConditionalVAE) -> dict[str, object]:
    """Play one loop; the regret after each round, in sd of the property, and where the chosen ones came from."""
    noise = np.random.default_rng([seed, 7])
    X = land.space.sample(FIRST, seed)
    y = land.truth(X) + NOISE * land.sd * noise.standard_normal(FIRST)
    best, won, bundle = [float(land.truth(X).max())], dict[str, int](), None
    for number in range(rounds):
        known, seed_now = _examples(land, X, y), seed * 1000 + number
        pool, source, bundle = _pool(land, arm, known, seed=seed_now, model=model, before=bundle)
        for row in _chosen(land, X, y, pool, seed):
            x = pool[row][None]
            X, y = np.vstack([X, x]), np.append(y, land.truth(x) + NOISE * land.sd * noise.standard_normal(1))
            won[source[row]] = won.get(source[row], 0) + 1
        best.append(float(land.truth(X).max()))
    near = [k for k, value in enumerate(best) if value >= land.best - land.sd]
    reached = [k for k, value in enumerate(best) if value >= land.goal]
    return {
        "arm": arm,
        "seed": seed,
        "regret": [(land.best - value) / land.sd for value in best],
        "rounds_to_goal": reached[0] if reached else rounds + 1,
        "rounds_to_near": near[0] if near else rounds + 1,
        "won": won,
    }


def _examples(land: Landscape, X: Array, y: Array) -> Examples:
    names = np.array([f"{k:04d}" for k in range(len(X))])
    return Examples(land.space.elements, ("property",), (), X, y[:, None], np.empty((len(X), 0)), names, y)


def _pool(
    land: Landscape, arm: str, known: Examples, *, seed: int, model: ConditionalVAE, before: GeneratorBundle | None
) -> tuple[Array, list[str], GeneratorBundle | None]:
    """A pool of legal compositions with the source of each, and the model for a warm start."""
    wish = Wish(np.array([known.merit.max() + AHEAD * known.merit.std()]), np.empty(0), land.space)
    parts: dict[str, Array] = {}
    kinds = ("uniform", "jitter", "vae") if arm == "mixed" else (arm,)
    share, after = POOL // len(kinds), before
    for kind in kinds:
        if kind in {"uniform", "lattice"}:
            even = land.space.sample(share, seed)
            rounded = np.round(even * LATTICE) / LATTICE
            rounded = rounded / rounded.sum(axis=1, keepdims=True)
            parts[kind] = even if kind == "uniform" else legal(rounded, land.space, seed=seed)[0]
        else:
            choice: GeneratorChoice = model if kind == "vae" else NeighbourJitter()
            bundle = train_generator(choice, known, seed=seed, previous=before if kind == "vae" else None)
            after = bundle if kind == "vae" else after
            parts[kind] = bundle.generator.draw(wish, share, seed=seed).X
    return np.vstack(list(parts.values())), [kind for kind, part in parts.items() for _ in part], after


def _chosen(land: Landscape, X: Array, y: Array, pool: Array, seed: int) -> list[int]:
    """Rows of the pool: each of largest expected improvement once the ones before were read as expected."""
    features, rows = element_features(land.space.elements), list[int]()
    none, pool_none = np.empty((len(X), 0)), np.empty((len(pool), 0))
    theta = PropertyHead.fit(features, X, y[:, None], none, seed=seed).theta
    for _ in range(BATCH):
        seen_x, seen_none = np.vstack([X, pool[rows]]), np.empty((len(X) + len(rows), 0))
        believed = PropertyHead(features, X, y[:, None], none, theta).expect(pool[rows], pool_none[: len(rows)]).mean
        head = PropertyHead(features, seen_x, np.vstack([y[:, None], believed]), seen_none, theta)
        mean, sd = (part[:, 0] for part in head.expect(pool, pool_none))
        gain = (mean - y.max()) / sd
        improvement = sd * (gain * norm.cdf(gain) + norm.pdf(gain))
        improvement[rows] = -np.inf
        rows.append(int(np.argmax(improvement)))
    return rows


def table(runs: list[dict[str, object]], arms: list[str]) -> list[dict[str, object]]:
    """One row per arm: figures with standard errors, and differences from the first arm, paired by seed."""
    figures = {
        arm: {
            "regret": np.array([np.array(run["regret"])[-1] for run in runs if run["arm"] == arm]),
            "rounds_to_goal": np.array([run["rounds_to_goal"] for run in runs if run["arm"] == arm], dtype=float),
            "rounds_to_near": np.array([run["rounds_to_near"] for run in runs if run["arm"] == arm], dtype=float),
        }
        for arm in arms
    }
    rows: list[dict[str, object]] = []
    for arm in arms:
        row: dict[str, object] = {"arm": arm, "seeds": len(figures[arm]["regret"])}
        for name, values in figures[arm].items():
            row[name] = _with_error(values)
            row[f"{name} less {arms[0]}"] = _with_error(values - figures[arms[0]][name])
        rows.append(row)
    return rows


def differences(runs: list[dict[str, object]], arms: list[str]) -> list[dict[str, object]]:
    """Of the merged pool from each other one, paired by seed: negative where it is better."""
    rows: list[dict[str, object]] = []
    for other in (arm for arm in arms if arm != "mixed" and "mixed" in arms):
        for name in ("regret", "rounds_to_goal", "rounds_to_near"):
            one, two = (
                {run["seed"]: _last(run[name]) for run in runs if run["arm"] == arm} for arm in ("mixed", other)
            )
            gap = np.array([one[seed] - two[seed] for seed in one if seed in two])
            rows.append({"mixed less": other, "figure": name} | paired(gap))
    return rows


def _last(figure: object) -> float:
    """A figure of a campaign; of one for each round, that after the last."""
    return float(np.ravel(np.array(figure, dtype=float))[-1])


def paired(gap: Array) -> dict[str, object]:
    """Mean, standard error and both tests of paired differences."""
    untied = gap[gap != 0.0]
    if len(gap) < 2 or not len(untied):
        return {"seeds": len(gap), "difference": "-", "p_t": "-", "p_sign": "-"}
    return {
        "seeds": len(gap),
        "difference": _with_error(gap),
        "p_t": f"{ttest_1samp(gap, 0.0).pvalue:.3f}",
        "p_sign": f"{binomtest(int((untied < 0.0).sum()), len(untied)).pvalue:.3f}",
    }


def _with_error(values: Array) -> str:
    """Mean and standard error."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():.2f} ± {error:.2f}"


def main() -> None:
    """Print one line per campaign and the table, and store both if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=("invar", "wide"), required=True)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=600, help="of each training of the model")
    parser.add_argument("--log", type=Path, help="one line for each campaign; what is there already is not repeated")
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results/generators")
    options = parser.parse_args()
    facts = provenance()
    print(heading(f"loops with generators, {options.task}"))
    land = invar() if options.task == "invar" else wide()
    model = ConditionalVAE(steps=options.steps, width=64, latent=8, pool=8)
    runs = played(options.log)
    done = {(run["arm"], run["seed"]) for run in runs}
    for seed in range(options.seeds):
        for arm in options.arms:
            if (arm, seed) not in done:
                runs.append(campaign(land, arm, seed, options.rounds, model))
                noted(runs[-1], options.log)
        if options.write:  # after every seed: a study that is cut keeps what it has
            whole = [run for run in runs if int(str(run["seed"])) <= seed]
            write(options.task, facts, options.arms, whole)
    print(markdown_table(table(runs, options.arms)))
    print(markdown_table(differences(runs, options.arms)))


def played(log: Path | None) -> list[dict[str, object]]:
    """Campaigns that an earlier part of the study noted."""
    if log is None or not log.exists():
        return []
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def noted(run: dict[str, object], log: Path | None) -> None:
    """Print a campaign, and keep it where a later part of the study looks."""
    print(json.dumps(run), flush=True)
    if log is not None:
        with log.open("a") as lines:
            lines.write(json.dumps(run) + "\n")


def write(task: str, facts: dict[str, object], arms: list[str], runs: list[dict[str, object]]) -> None:
    """Keep the tables as JSON and as Markdown."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows, gaps = table(runs, arms), differences(runs, arms)
    stored = {**facts, "task": task, "rows": rows, "differences": gaps, "campaigns": runs}
    (RESULTS / f"loops_{task}.json").write_text(json.dumps(stored, indent=1) + "\n")
    where = "\n".join(f"- {key}: {value}" for key, value in facts.items())
    explained = (__doc__ or "").split("\n\n", 2)[2]
    page = (
        f"# Loops with generators: {task}\n\n{where}\n\n{explained}\n{markdown_table(rows)}\n\n{markdown_table(gaps)}\n"
    )
    (RESULTS / f"loops_{task}.md").write_text(page)


if __name__ == "__main__":
    main()
