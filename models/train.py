"""Verb one: D_t -> ModelBundle."""

import time

from models.dataset import Dataset
from models.errors import InvalidDataset
from models.problem import Problem
from models.registry import SURROGATES
from models.surrogates.base import ModelBundle, Progress, columns_of, library_versions


def _silent(phase: str) -> None:
    del phase


def train(
    problem: Problem,
    dataset: Dataset,
    *,
    seed: int,
    previous: ModelBundle | None = None,
    progress: Progress = _silent,
) -> ModelBundle:
    """Fit the problem's surrogate to every reading of the dataset.

    Args:
        problem: Search space, properties and the surrogate's options.
        dataset: Readings in the properties' own units, in any order; NaN where a property was not read.
        seed: Seed of the fit's random starts. The same seed, data and `previous` give the same bundle.
        previous: An earlier bundle of the same problem, from which the search of the hyperparameters starts.
        progress: Called often; may raise to stop.

    Returns:
        The surrogate with its metrics and lineage.

    Raises:
        InvalidDataset: If the dataset's columns are not the problem's.
        NotEnoughData: If there are fewer than two distinct points with a reading.
        FitFailed: If no start leads to a finite evidence.
    """
    began, used = time.perf_counter(), time.process_time()
    if (problem.space.dimension + len(problem.space.process_columns), len(problem.properties)) != (
        dataset.X.shape[1],
        dataset.Y.shape[1],
    ):
        raise InvalidDataset(f"X {dataset.X.shape} and Y {dataset.Y.shape} do not fit {columns_of(problem)}")
    kind = SURROGATES[problem.surrogate.name]
    before = previous.surrogate if previous is not None and previous.columns == columns_of(problem) else None
    surrogate, metrics = kind.fit(problem, dataset.canonical(), seed=seed, previous=before, progress=progress)
    metrics |= {"cpu_seconds": time.process_time() - used, "seconds": time.perf_counter() - began}
    return ModelBundle(surrogate, columns_of(problem), seed, library_versions(), dataset.fingerprint(), metrics)
