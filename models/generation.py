"""The third verb, beside `train` and `propose`: examples -> a generator -> bytes -> compositions.

bundle = train_generator(ConditionalVAE(), Examples.of(problem, dataset), seed=1)
stored = generator_to_bytes(bundle)
draws = generator_from_bytes(stored).generator.draw(wish, 100, seed=2)
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.catalog import GeneratorChoice
from models.envelope import GeneratorHeader, opened_as, sealed
from models.errors import IncompatibleCheckpoint
from models.generators.base import Examples, Generator, Progress
from models.registry import GENERATORS
from models.surrogates.base import library_versions


@dataclass(frozen=True)
class GeneratorBundle:
    """A generator with all that a reader needs to judge it and to make it again."""

    generator: Generator
    elements: tuple[str, ...]
    properties: tuple[str, ...]
    process: tuple[str, ...]
    seed: int
    versions: Mapping[str, str]
    """Library versions under which it was fitted."""
    fingerprint: str
    """Of the examples it was fitted to."""
    metrics: Mapping[str, Any]
    """JSON-able: how the training ended, what the code carries, what it cost."""


def _silent(phase: str) -> None:
    del phase


def train_generator(
    choice: GeneratorChoice,
    examples: Examples,
    *,
    seed: int,
    previous: GeneratorBundle | None = None,
    progress: Progress = _silent,
) -> GeneratorBundle:
    """Fit a generator to every example.

    To learn from a prior table first, train on the table, and give the result as `previous` of a training on D_t.

    Args:
        choice: The kind and its options.
        examples: In any order.
        seed: The same seed, examples and `previous` give the same generator.
        previous: An earlier generator, perhaps of other elements and properties, from which the fit starts.
        progress: Called often, from inside the training; may raise to stop.

    Raises:
        NotEnoughData: If there are too few examples to learn from.
        FitFailed: If the fit has no finite end.
    """
    began, used = time.perf_counter(), time.process_time()
    before = previous.generator if previous is not None else None
    ordered = examples.canonical()
    generator, metrics = GENERATORS[choice.name].fit(choice, ordered, seed=seed, previous=before, progress=progress)
    metrics |= {"cpu_seconds": time.process_time() - used, "seconds": time.perf_counter() - began}
    names = (examples.elements, examples.properties, examples.process)
    return GeneratorBundle(generator, *names, seed, library_versions(), ordered.fingerprint(), metrics)


def generator_to_bytes(bundle: GeneratorBundle) -> bytes:
    """Write a generator; equal ones give equal bytes."""
    header = GeneratorHeader(
        generator=bundle.generator.name,
        elements=bundle.elements,
        properties=bundle.properties,
        process=bundle.process,
        seed=bundle.seed,
        versions=dict(bundle.versions),
        fingerprint=bundle.fingerprint,
        metrics=dict(bundle.metrics),
    )
    return sealed(header, bundle.generator.arrays())


def generator_from_bytes(data: bytes) -> GeneratorBundle:
    """Read what `generator_to_bytes` wrote: it draws the same compositions, bit by bit.

    Raises:
        IncompatibleCheckpoint: If the bytes are damaged, of another format or of a kind that is not known.
    """
    header, arrays = opened_as(GeneratorHeader, data)
    if header.generator not in GENERATORS:
        raise IncompatibleCheckpoint(f"no generator {header.generator!r} is known")
    generator = GENERATORS[header.generator].from_arrays(arrays)
    names = (header.elements, header.properties, header.process)
    return GeneratorBundle(generator, *names, header.seed, header.versions, header.fingerprint, header.metrics)
