"""How often does the truth lie within the 95 % interval of f? On draws from the model's own prior, films by films.

Run: `python -m benchmarks.coverage_of_f --films 2 5 10 20 --seeds 40`

Hyperparameters are drawn from their prior, a property from the Gaussian process that they make, over three elements and
a temperature; films of 7 devices are read with that process's own noise and film offsets, in units that the model is
not told. Counted at 30 other points, for one set of hyperparameters (the most probable) and for several that are
averaged over. Only what the model does with few readings can then be wrong, not what it believes. Printed beside the
coverage: its standard error over the seeds, and the mean log density of the truth in units of the property's sd.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from benchmarks.provenance import heading, provenance, write_study
from models.catalog import FilmGP
from models.composition import ContinuousVariable, SearchSpace
from models.dataset import Dataset
from models.objective import Objective
from models.problem import Problem
from models.surrogates.hyperparameters import Hyperparameters, Layout, prior_covariance
from models.surrogates.scaling import space_ranges
from models.train import train

Array = NDArray[np.float64]

PROBLEM = Problem(
    space=SearchSpace(
        elements=("Fe", "Ga", "Pd"), process=(ContinuousVariable(name="anneal", unit="K", lower=300.0, upper=900.0),)
    ),
    objectives=(Objective(property="signal", unit="V", direction="maximise"),),
)
DEVICES = 7
PROBES = 30
CENTRE, SCALE = 1e3, 1e-2
"""Physical units: a property of 1 in the units of the prior is `CENTRE + SCALE`."""


def points_of(films: int, rng: np.random.Generator) -> Array:
    """Device points of straight films between random ends, then the probes: `(films * DEVICES + PROBES) x 4`."""
    s = np.linspace(0.0, 1.0, DEVICES)[:, None]
    lines = []
    for _ in range(films):
        a, b = rng.dirichlet(np.ones(3), 2)
        lines.append(np.hstack([(1.0 - s) * a + s * b, np.full((DEVICES, 1), rng.random())]))
    return np.vstack([*lines, np.hstack([rng.dirichlet(np.ones(3), PROBES), rng.random((PROBES, 1))])])


def drawn(films: int, seed: int) -> tuple[Dataset, Array, Array]:
    """Readings of one drawn property, and the probes (`PROBES x 4`) with the truth there."""
    rng = np.random.default_rng([seed, films])
    prior = Layout(4, elements=3).priors()
    theta = rng.multivariate_normal([p.mean for p in prior], prior_covariance(prior))
    h = Hyperparameters.from_theta(np.clip(theta, [p.lower for p in prior], [p.upper for p in prior]), 4)
    X = points_of(films, rng)
    z = X / space_ranges(PROBLEM.space)[1] / h.lengthscales
    u = np.sqrt(5.0 * ((z[:, None] - z) ** 2).sum(-1))
    covariance = 1.0 + h.output_variance * (1.0 + u + u**2 / 3.0) * np.exp(-u) + 1e-8 * np.eye(len(z))
    f = np.linalg.cholesky(covariance) @ rng.standard_normal(len(z))
    n = films * DEVICES
    y = f[:n] + np.repeat(h.film_variance**0.5 * rng.standard_normal(films), DEVICES)
    y += h.noise_variance**0.5 * rng.standard_normal(n)
    names = np.repeat([f"film-{k:03d}" for k in range(films)], DEVICES)
    data = Dataset(X[:n], CENTRE + SCALE * y[:, None], np.full((n, 1), np.nan), names, np.arange(n, dtype=float))
    return data, X[n:], CENTRE + SCALE * f[n:]


def figures(films: int, sets: int, seed: int) -> tuple[float, float]:
    """Share of the probes whose truth is within the 95 % interval, and the mean log density there."""
    data, probes, truth = drawn(films, seed)
    problem = PROBLEM.model_copy(update={"surrogate": FilmGP(averaging=sets)})
    mean, sd = (part[:, 0] for part in train(problem, data, seed=seed).predict(problem, probes))
    z = (truth - mean) / sd
    density = -0.5 * (z * z + np.log(2.0 * np.pi)) - np.log(sd / SCALE)
    return float(np.mean(np.abs(z) < 1.96)), float(np.mean(density))


def main() -> None:
    """Print one row per setting, and store the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, nargs="+", default=[2, 5, 10, 20])
    parser.add_argument("--sets", type=int, nargs="+", default=[1, FilmGP().averaging])
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    options = parser.parse_args()
    facts = provenance()
    print(heading("coverage of the 95 % interval of f, draws from the prior"))
    print(f"{'films':>5} {'sets':>5} {'coverage_95':>12} {'s.e.':>8} {'log_density':>12}")
    table: list[dict[str, float]] = []
    for films in options.films:
        for sets in options.sets:
            inside, density = np.transpose([figures(films, sets, seed) for seed in range(options.seeds)])
            error = float(inside.std(ddof=1) / np.sqrt(len(inside)))
            row = {"coverage_95": float(inside.mean()), "standard_error": error, "log_density": float(density.mean())}
            table.append({"films": films, "sets": sets} | row)
            print(
                f"{films:5d} {sets:5d}",
                f"{row['coverage_95']:12.3f} {error:8.3f} {row['log_density']:12.2f}",
                flush=True,
            )
    if options.write:
        write_study("coverage_of_f", {**facts, "seeds": options.seeds}, table)


if __name__ == "__main__":
    main()
