"""What lengthscales real landscapes have, beside what the surrogate believes of them before any reading.

Run: `python -m benchmarks.lengthscales`

Every landscape is read at up to 400 compositions, and one lengthscale per column is fitted, each with the prior of
its own: nothing ties them here. A row tells the lengthscales in widths of the landscape's own range, how far their
mean logarithm lies from the prior's mean (`level`), and how they differ among each other (`spread`: standard
deviation of the logarithm). Real landscapes: three oxide libraries, a Fe-Ga-Pd wafer, alloys with thermal expansions,
organic blends. T3 of the decision benchmark is synthetic, its last columns are temperature and the total of Ta, W, Ir.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import noise_models
from benchmarks.decisions.continuous import hall_task, wafer_task
from benchmarks.decisions.data import data_file
from benchmarks.decisions.plates import PLATES, Plate
from benchmarks.generators.landscapes import INVAR, invar_table
from benchmarks.provenance import heading, provenance, write_study
from models.surrogates.evidence import Readings
from models.surrogates.fitting import fit
from models.surrogates.hyperparameters import Layout, lengthscale_prior
from models.surrogates.scaling import group_totals, robust_units, with_totals

Array = NDArray[np.float64]

MOST = 400
"""Compositions that are read."""
STARTS = 4
BLENDED = ("P3HT", "PCBM", "o-IDTBR")
"""What the organic blends hold beside their donor."""


class Landscape(NamedTuple):
    """What is known of one property."""

    name: str
    columns: tuple[str, ...]
    X: Array
    """`j x D` columns of the surrogate."""
    y: Array
    """`j` values."""


def landscapes() -> Iterator[Landscape]:
    """All of them.

    Raises:
        DataAbsent: If the data are not on this machine.
    """
    for number in PLATES:
        plate = Plate.load(number)
        yield Landscape(plate.name, plate.elements, plate.pool(), plate.truth(plate.pool())[:, 0])
    wafer = wafer_task("pair")
    yield Landscape("fe-ga-pd", wafer.problem.space.elements, wafer.lattice, wafer.truths(wafer.lattice)[:, 0])
    yield Landscape("invar", INVAR, *invar_table())
    for blend in noise_models.landscapes(data_file("opv-quaternary", "opv_quaternary.csv").parents[1]):
        if blend.name.startswith("OPV"):
            yield Landscape(blend.name, (blend.name.removeprefix("OPV "), *BLENDED), blend.x, blend.y)
    task = hall_task("pair")
    columns = (*task.problem.space.elements, "anneal", "heavy")
    points = with_totals(task.lattice, group_totals(task.problem.space))
    yield Landscape("T3 (synthetic)", columns, points, task.truths(task.lattice)[:, 0])


def fitted(landscape: Landscape, seed: int) -> dict[str, object]:
    """One row of the table."""
    rng = np.random.default_rng(seed)
    some = rng.permutation(len(landscape.y))[:MOST]
    X, y = landscape.X[some], landscape.y[some]
    low, width = X.min(axis=0), np.ptp(X, axis=0)
    centre, scale = robust_units(y)
    n = len(y)
    data = Readings(x=(X - low) / width, y=(y - centre) / scale, known_variance=np.full(n, np.nan), film=np.arange(n))
    D = X.shape[1]
    layout = Layout(D, film_effect=False)
    found = fit(data, layout=layout, seed=seed, starts=STARTS, previous=None, progress=lambda _: None).hyperparameters
    logarithms = np.log(found.lengthscales)
    return {
        "landscape": landscape.name,
        "readings": n,
        "lengthscales": ", ".join(f"{c} {v:.2f}" for c, v in zip(landscape.columns, found.lengthscales, strict=True)),
        "level": float(logarithms.mean() - lengthscale_prior(D).mean),
        "spread": float(logarithms.std(ddof=1)),
        "noise": float(found.noise_variance**0.5),
    }


def main() -> None:
    """Print one row per landscape, and store the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="which compositions are read")
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    options = parser.parse_args()
    print(heading("lengthscales of real landscapes"))
    table = []
    for landscape in landscapes():
        table.append(fitted(landscape, options.seed))
        print(
            " ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in table[-1].items()), flush=True
        )
    if options.write:
        write_study("lengthscales", {**provenance(), "seed": options.seed}, table)


if __name__ == "__main__":
    main()
