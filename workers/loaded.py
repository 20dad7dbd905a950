"""Models as they lie in the artifact store, the last few kept in memory. A file never changes, so it may be kept."""

from functools import lru_cache
from pathlib import Path

from models.generation import generator_from_bytes
from models.generators.base import Generator
from service.operations import decisions

KEPT = 4
"""Generators kept. One of 2,000 examples takes about 20 MB."""


@lru_cache(maxsize=KEPT)
def generator(folder: Path, sha256: str) -> Generator:
    """A stored generator.

    Raises:
        ArtifactDamaged: If its file is missing or does not match its hash.
        IncompatibleCheckpoint: If it holds no generator that is known.
    """
    return generator_from_bytes(decisions.load_artifact(folder, sha256)).generator
