"""Loops whose pool of candidates comes from a generator, against pools from elsewhere.

Run: `python -m benchmarks.generators.loops --task invar --seeds 30 --write`
     `python -m benchmarks.generators.loops --task wide --seeds 30 --write`
     `python -m benchmarks.generators.loops --task mpea --seeds 30 --later 150 --write`

Each round an arm lays a pool of 256 legal compositions, a Gaussian process fitted to what was read chooses five of them
by expected improvement, one after the other, and they are read. Arms share the process, the first readings and the
noise; only the pool differs. Targets for generators are better than the best by a quarter of the readings' sd.

| task | truth | elements and rules |
| --- | --- | --- |
| invar | trees fitted to 699 published thermal expansions; to be small | Fe Ni Co Cr V Cu, none |
| wide | a formula with five narrow ridges; to be large | 12, at most 5 present, two groups of at most 2, totals |
| mpea | kernel ridge regression of published hardnesses; to be large | 20, at most 7 present |

A campaign begins with 12 even draws. That of mpea begins with published alloys of the twenty elements that most have,
with a hardness where one was published. A family is all alloys of the same elements; every family with one of the
hardest tenth is left out, and half of the others, by seed. So whole families are new to everybody, and the best are
among them. No model sees a left-out alloy before the loop makes it: there is no prior table, and features of elements
are the periodic table's. Three things weaken what it shows. Values are those of the regression, which is no reading;
it describes an alloy by the same features as the process that chooses, whatever the arm; and the generator's defaults
were chosen on other splits of the same table. (Trees as the truth were tried first: they give published alloys back as
lone spikes, which no arm found in thirty readings.)

Arms: `uniform` draws evenly, `lattice` takes compositions in steps of 5 at.%, `jitter` and `vae` are the generators
(retrained each round, warm), `swap` is the jitter that exchanges one element for another in half of its draws, which is
the service's own. `mixed` takes a third each of uniform, jitter and vae, and says which of them won; `untrained` takes
half each of uniform and jitter: the same without what was trained. `mixed_swap` and `untrained_swap` are these two with
the jitter that exchanges. With `--log FILE` a study may be cut and go on: each campaign is a line there, and is not
played again.
Figures: regret of the best true value read, in sd of the property; rounds until within the best 1 % of 4,000 even draws
(`goal`; mpea: the best 5 % of what was published), and until within 1 sd of the best there is (`near`), one more than
there are where that never was; differences paired by seed, with the one-sided 95 % bound of how much worse the first
may be (`at most`). `better` and `worse` are resolved: paired t and sign test both below 0.05. `not worse`: the bound is
below the margin, 0.25 sd or half a round; `open` otherwise. A composition stands for a uniform film.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, t, ttest_1samp

from benchmarks.generators.landscapes import Landscape, families, invar, wide
from benchmarks.provenance import heading, markdown_table, provenance
from models.catalog import ConditionalVAE, GeneratorChoice, NeighbourJitter
from models.generation import GeneratorBundle, train_generator
from models.generators.base import Examples, Wish
from models.generators.element_features import element_features
from models.generators.legal import legal
from models.generators.property_head import PropertyHead

Array = NDArray[np.float64]

RESULTS = Path(__file__).parents[1] / "results" / "generators"
ARMS = ("uniform", "lattice", "jitter", "swap", "vae", "untrained", "mixed", "untrained_swap", "mixed_swap")
MERGED = {
    "mixed": ("uniform", "jitter", "vae"),
    "untrained": ("uniform", "jitter"),
    "mixed_swap": ("uniform", "swap", "vae"),
    "untrained_swap": ("uniform", "swap"),
}
BASELINES = ("jitter", "lattice", "uniform")
COMPARED = ("mixed_swap", "untrained_swap", "swap", "mixed", "vae", "untrained", *BASELINES)
"""Each that is no baseline is compared with those that follow it."""
TASKS = {"invar": invar, "wide": wide, "mpea": families}
FIRST, BATCH, POOL = 12, 5, 256
NOISE = 0.05
"""Of a reading, in sd of the property."""
AHEAD = 0.25
MARGINS = {"regret": AHEAD, "rounds_to_goal": 0.5, "rounds_to_near": 0.5}
"""Of not being worse: as far as targets lie ahead of the best, in sd; half a round."""
RESOLVED = 0.05
"""P of both tests below which a difference is one."""
LATTICE = 20
JITTER = {"jitter": NeighbourJitter(exchanged=0.0), "swap": NeighbourJitter()}


def campaign(
    land: Landscape, arm: str, seed: int, rounds: int, model: ConditionalVAE, *, later: int | None = None
) -> dict[str, object]:
    """Play one loop; the regret after each round, in sd of the property, and where the chosen ones came from.

    The model is trained for `later` steps after the first time, or for as many as the first time.
    """
    noise = np.random.default_rng([seed, 7])
    if land.known is None:
        X = land.space.sample(FIRST, seed)
        y = land.truth(X) + NOISE * land.sd * noise.standard_normal(FIRST)
    else:
        X, y = land.known(seed)
    best, won, bundle = [float(land.truth(X[np.isfinite(y)]).max())], dict[str, int](), None
    for number in range(rounds):
        known, seed_now = _examples(land, X, y), seed * 1000 + number
        kind = model if bundle is None or later is None else model.model_copy(update={"steps": later})
        pool, source, bundle = _pool(land, arm, known, seed=seed_now, model=kind, before=bundle)
        for row in _chosen(land, X, y, pool, seed):
            x = pool[row][None]
            X, y = np.vstack([X, x]), np.append(y, land.truth(x) + NOISE * land.sd * noise.standard_normal(1))
            won[source[row]] = won.get(source[row], 0) + 1
        best.append(float(land.truth(X[np.isfinite(y)]).max()))
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
    target = np.nanmax(known.merit) + AHEAD * np.nanstd(known.merit)
    wish = Wish(np.array([target]), np.empty(0), land.space)
    parts: dict[str, Array] = {}
    kinds = MERGED.get(arm, (arm,))
    share, after = POOL // len(kinds), before
    for kind in kinds:
        if kind in {"uniform", "lattice"}:
            even = land.drawn_evenly(share, seed)
            rounded = np.round(even * LATTICE) / LATTICE
            rounded = rounded / rounded.sum(axis=1, keepdims=True)
            parts[kind] = even if kind == "uniform" else legal(rounded, land.space, seed=seed)[0]
        else:
            choice: GeneratorChoice = JITTER.get(kind, model)
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
        gain = (mean - np.nanmax(y)) / sd
        improvement = sd * (gain * norm.cdf(gain) + norm.pdf(gain))
        improvement[rows] = -np.inf
        rows.append(int(np.argmax(improvement)))
    return rows


def table(runs: list[dict[str, object]], arms: list[str]) -> list[dict[str, object]]:
    """One row per arm: figures with standard errors, and differences from the first arm, paired by seed."""
    rows: list[dict[str, object]] = []
    for arm in arms:
        row: dict[str, object] = {"arm": arm, "seeds": sum(run["arm"] == arm for run in runs)}
        for name in ("regret", "rounds_to_goal", "rounds_to_near"):
            mine, first = ({run["seed"]: _last(run[name]) for run in runs if run["arm"] == a} for a in (arm, arms[0]))
            row[name] = _with_error(np.array(list(mine.values())))
            row[f"{name} less {arms[0]}"] = _with_error(np.array([mine[k] - first[k] for k in mine if k in first]))
        rows.append(row)
    return rows


def differences(runs: list[dict[str, object]], arms: list[str]) -> list[dict[str, object]]:
    """Of pools that are no baseline from those that follow, paired by seed: negative where they are better."""
    rows: list[dict[str, object]] = []
    order = [arm for arm in COMPARED if arm in arms]
    for number, ours in enumerate(arm for arm in order if arm not in BASELINES):
        for other in order[number + 1 :]:
            for name in ("regret", "rounds_to_goal", "rounds_to_near"):
                one, two = (
                    {run["seed"]: _last(run[name]) for run in runs if run["arm"] == arm} for arm in (ours, other)
                )
                gap = np.array([one[seed] - two[seed] for seed in one if seed in two])
                told = paired(gap) | {"so": verdict(gap, MARGINS[name])}
                rows.append({"arm": ours, "less": other, "figure": name} | told)
    return rows


def _last(figure: object) -> float:
    """A figure of a campaign; of one for each round, that after the last."""
    return float(np.ravel(np.array(figure, dtype=float))[-1])


def paired(gap: Array) -> dict[str, object]:
    """Mean, standard error and both tests of paired differences."""
    if len(gap) < 2 or not gap.any():
        return {"seeds": len(gap), "difference": "-", "at most": "-", "p_t": "-", "p_sign": "-"}
    p_t, p_sign = tests(gap)
    return {
        "seeds": len(gap),
        "difference": _with_error(gap),
        "at most": f"{at_most(gap):.2f}",
        "p_t": f"{p_t:.3f}",
        "p_sign": f"{p_sign:.3f}",
    }


def tests(gap: Array) -> tuple[float, float]:
    """P of the paired t test and of the sign test; 1 where nothing differs."""
    untied = gap[gap != 0.0]
    if not len(untied):
        return 1.0, 1.0
    p_sign = float(binomtest(int((untied < 0.0).sum()), len(untied)).pvalue)
    return float(ttest_1samp(gap, 0.0).pvalue), p_sign


def verdict(gap: Array, margin: float) -> str:
    """What paired differences show: `better`, `worse`, `not worse` by the margin, or `open`."""
    if len(gap) < 2:
        return "open"
    if max(tests(gap)) < RESOLVED:
        return "better" if gap.mean() < 0.0 else "worse"
    return "not worse" if at_most(gap) < margin else "open"


def at_most(gap: Array) -> float:
    """One-sided 95 % bound of the mean of paired differences, from above."""
    return float(gap.mean() + t.ppf(0.95, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap)))


def _with_error(values: Array) -> str:
    """Mean and standard error."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():.2f} ± {error:.2f}"


def main() -> None:
    """Print one line per campaign and the table, and store both if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=tuple(TASKS), required=True)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=600, help="of each training of the model")
    parser.add_argument("--later", type=int, help="steps of each training but the first; as many if not given")
    parser.add_argument("--log", type=Path, help="one line for each campaign; what is there already is not repeated")
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results/generators")
    options = parser.parse_args()
    facts = provenance() | {"rounds": options.rounds, "steps": options.steps, "later": options.later or options.steps}
    print(heading(f"loops with generators, {options.task}"))
    land = TASKS[options.task]()
    model = ConditionalVAE(steps=options.steps, width=64, latent=8, pool=8)
    runs = played(options.log)
    done = {(run["arm"], run["seed"]) for run in runs}
    for seed in range(options.seeds):
        for arm in options.arms:
            if (arm, seed) not in done:
                runs.append(campaign(land, arm, seed, options.rounds, model, later=options.later))
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
