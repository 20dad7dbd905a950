"""What a training does with D_t, on the machine that it was given: a generator, and what it is worth."""

import os
import resource
from collections.abc import Callable
from functools import cache

import numpy as np
import structlog
import torch

from models.errors import IncompatibleCheckpoint
from models.generation import GeneratorBundle, generator_from_bytes, generator_to_bytes, train_generator
from models.generators.base import Examples, held_back
from models.generators.health import health
from models.tensors import use_device
from service.errors import ArtifactDamaged
from service.operations import decisions
from service.operations.trainings import GeneratorRecord, TrainingInput
from service.settings import Settings, WorkerSettings

log = structlog.get_logger("filmloop.train")

MEGABYTE = 2**20


def learn(settings: Settings, job: TrainingInput, progress: Callable[[str], None]) -> GeneratorRecord:
    """Train a generator on most examples, judge it on the others, and store it.

    Raises:
        NotEnoughData: If there are too few examples.
        FitFailed: If the fit has no finite end.
        ValueError: If the problem wants no generator, or the device is not there.
    """
    device = machine(settings.worker)
    if job.problem.generator is None:
        raise ValueError("the problem wants no generator")
    examples = Examples.to_learn(job.problem, job.dataset)
    seen, unseen = parted(examples, job.seed)
    previous = _previous(settings, job)
    bundle = train_generator(job.problem.generator, seen, seed=job.seed, previous=previous, progress=progress)
    progress("health")
    told = health(bundle.generator, seen, unseen, seed=job.seed, space=job.problem.space).as_json()
    metrics = {**bundle.metrics, "examples": len(examples), "device": device}
    if device != "cpu":
        metrics["device_memory_mb"] = round(torch.cuda.max_memory_allocated() / MEGABYTE, 1)
    return GeneratorRecord(
        name=bundle.generator.name,
        seed=bundle.seed,
        metrics=metrics,
        health=told | {"judged_on": len(unseen)},
        versions=bundle.versions,
        artifact=decisions.store_artifact(settings.artifacts_dir, generator_to_bytes(bundle)),
        started_from=None if previous is None or job.previous is None else job.previous.id,
    )


def parted(examples: Examples, seed: int) -> tuple[Examples, Examples]:
    """Examples to learn from, and others to judge by: single ones, drawn by seed.

    Not whole films: a campaign has few, and a draw is no copy for being nearer to the films made than the next one is.
    """
    out = np.zeros(len(examples), dtype=bool)
    out[np.random.default_rng([seed, 5]).permutation(len(examples))[: held_back(len(examples))]] = True
    return examples.take(np.flatnonzero(~out)), examples.take(np.flatnonzero(out))


@cache
def machine(worker: WorkerSettings) -> str:
    """Take the device and bound its memory, once for the process; returns the device."""
    if worker.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what CUDA asks for, before it starts
        torch.use_deterministic_algorithms(mode=True)
    device = use_device(worker.device)
    if worker.memory_mb is not None and device != "cpu":
        whole = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, worker.memory_mb * MEGABYTE / whole), device)
    elif worker.memory_mb is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (worker.memory_mb * MEGABYTE, hard))
    return device


def _previous(settings: Settings, job: TrainingInput) -> GeneratorBundle | None:
    """The generator that the training starts from; damage is reported, and means a cold start."""
    if job.previous is None:
        return None
    try:
        return generator_from_bytes(decisions.load_artifact(settings.artifacts_dir, job.previous.sha256))
    except (ArtifactDamaged, IncompatibleCheckpoint) as error:
        log.warning("the last generator cannot be read; training starts cold", error=str(error))
        return None
