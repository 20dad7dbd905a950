"""How well the noise model finds noise that is known: noise that varies, an instrument that drifts, misread fractions.

Run: `python -m benchmarks.noise_labs --write`

Labs are synthetic and seeded, three elements and a temperature, 13 devices a film (7 with drift, 9 with misread
fractions). *Varying*: the standard deviation of a reading rises tenfold along the first fraction. *Drift*: the
instrument drifts by 0.1 V a session, one film a session; a coupon is read three times before each film. *Misread*: a
steep property is read exactly, at fractions that are off by 2 or 0.5 at.%. Each lab is judged with the part of the
model that is meant for it and without: root mean square error of f, mean log density of f and coverage of its 95 %
interval at 200 compositions; for other labs also the share of these where the noise is right within a factor 1.5.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.provenance import heading, markdown_table, provenance, write_study
from models.catalog import FilmGP, NoiseModel
from models.dataset import Dataset
from models.surrogates.predictor import Predictor
from models.train import train
from tests.oracles import noisy_lab, small_lab

Array = NDArray[np.float64]
Truth = Callable[[Array], Array]

PROBE = small_lab.probe(200, seed=3)
NAMES = ("rmse", "log_density", "coverage_95", "noise_right", "cpu_s")
WITHOUT = NoiseModel(heteroscedastic=False, drift=False)
LABS: dict[str, tuple[NoiseModel, tuple[int, ...]]] = {
    "varying": (NoiseModel(drift=False), (5, 10, 20)),
    "even": (NoiseModel(drift=False), (5, 10, 20)),
    "drift": (NoiseModel(heteroscedastic=False), (5, 12, 24)),
    "no drift": (NoiseModel(heteroscedastic=False), (5, 12, 24)),
    "misread 2 at.%": (NoiseModel(heteroscedastic=False, drift=False, composition_sd=0.02), (8,)),
    "misread 0.5 at.%": (NoiseModel(heteroscedastic=False, drift=False, composition_sd=0.005), (8,)),
}


def readings(lab: str, films: int, seed: int) -> tuple[Dataset, Truth]:
    """What a lab read, and the property."""
    match lab.split(maxsplit=1):
        case ["varying"]:
            return noisy_lab.with_varying_noise(films, seed=seed), small_lab.truth
        case ["even"]:
            return small_lab.dataset(films, 13, seed=seed), small_lab.truth
        case ["drift"]:
            return noisy_lab.with_drift(films, seed=seed)[1], small_lab.truth
        case ["no", _]:
            return noisy_lab.with_drift(films, slope=0.0, seed=seed)[1], small_lab.truth
        case [_, error]:
            sd = 0.01 * float(error.split()[0])
            return noisy_lab.with_wrong_composition(films, steepness=8.0, sd=sd, seed=seed)
    raise ValueError(lab)


def figures(lab: str, films: int, noise: NoiseModel, seed: int) -> list[float]:
    """One lab, one model: the figures of `NAMES`."""
    data, truth = readings(lab, films, seed)
    problem = small_lab.problem().model_copy(update={"surrogate": FilmGP(noise=noise)})
    bundle = train(problem, data, seed=0)
    said = Predictor.from_arrays(bundle.surrogate.arrays()).predict(PROBE)
    error, sd = truth(PROBE) - said.mean[:, 0], said.latent_sd[:, 0]
    expected = noisy_lab.noise_sd(PROBE) if lab == "varying" else np.full(len(PROBE), 0.05 if lab == "even" else 0.03)
    right = np.abs(np.log(said.noise_sd[:, 0] / expected)) < np.log(1.5)
    density = np.mean(-0.5 * (error / sd) ** 2 - np.log(sd) - 0.5 * np.log(2.0 * np.pi))
    inside = np.mean(np.abs(error) < 1.96 * sd)
    return [float(np.sqrt(np.mean(error**2))), density, inside, np.mean(right), bundle.metrics["cpu_seconds"]]


def main() -> None:
    """Print one row per lab, size and model, and store the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    options = parser.parse_args()
    facts = {**provenance(), "seeds": options.seeds}
    print(heading("noise models in labs whose noise is known"))
    table: list[dict[str, object]] = []
    for lab, (meant, sizes) in LABS.items():
        for films in sizes:
            for part, noise in (("without", WITHOUT), ("with", meant)):
                mean = np.mean([figures(lab, films, noise, seed) for seed in range(options.seeds)], axis=0)
                row = {"lab": lab, "films": films, "part": part} | dict(zip(NAMES, mean.tolist(), strict=True))
                table.append(row | ({"noise_right": "-"} if lab.startswith("misread") else {}))
                print(table[-1], flush=True)
    print(markdown_table(table))
    if options.write:
        write_study("noise_labs", facts, table)


if __name__ == "__main__":
    main()
