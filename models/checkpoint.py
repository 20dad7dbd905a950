"""A bundle as bytes and back: tensors (safetensors) with a JSON header. Never a pickled class, never a Python path.

The bytes are a plain safetensors file whose metadata holds `filmloop`, the header, and `sha256`, over header and
tensors. Readings and hyperparameters are stored, not the Cholesky factor that follows from them: at 1,000 readings that
is 0.1 MB for 8 MB. The same code builds it again from the same numbers, so the posterior is the same bit by bit.
"""

import hashlib
import json
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from models.dataset import Dataset
from models.errors import IncompatibleCheckpoint, ScienceError
from models.problem import Problem
from models.registry import SURROGATES
from models.surrogates.base import ModelBundle, columns_of

Arrays = dict[str, NDArray[Any]]


class Header(BaseModel):
    """What the tensors mean and where they come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["filmloop/1"] = "filmloop/1"
    surrogate: str
    """Name in the catalogue."""
    columns: tuple[str, ...]
    seed: int
    versions: dict[str, str]
    fingerprint: str
    metrics: dict[str, Any]


def to_bytes(bundle: ModelBundle) -> bytes:
    """Write a bundle; equal bundles give equal bytes."""
    header = Header(
        surrogate=bundle.surrogate.name,
        columns=bundle.columns,
        seed=bundle.seed,
        versions=dict(bundle.versions),
        fingerprint=bundle.fingerprint,
        metrics=dict(bundle.metrics),
    ).model_dump_json()
    arrays = {name: np.ascontiguousarray(a) for name, a in sorted(bundle.surrogate.arrays().items())}
    # One metadata entry only: the writer keeps the entries of a map in no fixed order.
    return save(arrays, metadata={"filmloop": json.dumps({"header": header, "sha256": _digest(header, arrays)})})


def from_bytes(data: bytes, problem: Problem, dataset: Dataset | None = None) -> ModelBundle:
    """Read a bundle that `to_bytes` wrote.

    Args:
        data: Its bytes.
        problem: The campaign's; its columns must be the bundle's.
        dataset: If given and not the one of the fit, the surrogate is conditioned on it with the stored
            hyperparameters, without a fit.

    Returns:
        The bundle, with exactly the posterior that was written.

    Raises:
        IncompatibleCheckpoint: If the bytes are damaged, of another format or of another search space.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        wrapped = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["filmloop"])
        arrays = dict(sorted(load(data).items()))
        header = Header.model_validate_json(wrapped["header"])
        if wrapped["sha256"] != _digest(wrapped["header"], arrays):
            raise IncompatibleCheckpoint("the checksum of the stored model is wrong: its bytes are damaged")
    except (SafetensorError, ValidationError, ValueError, KeyError, TypeError) as error:
        raise IncompatibleCheckpoint(f"not a filmloop/1 checkpoint: {error}") from error
    if header.columns != columns_of(problem) or header.surrogate not in SURROGATES:
        raise IncompatibleCheckpoint(
            f"a {header.surrogate} over {header.columns} does not serve a problem over {columns_of(problem)}"
        )
    try:
        surrogate = SURROGATES[header.surrogate].from_arrays(arrays)
    except ScienceError as error:
        raise IncompatibleCheckpoint(f"the stored {header.surrogate} cannot be built: {error}") from error
    fingerprint = header.fingerprint
    if dataset is not None and dataset.fingerprint() != fingerprint:
        surrogate, fingerprint = surrogate.condition(problem, dataset.canonical()), dataset.fingerprint()
    return ModelBundle(surrogate, header.columns, header.seed, header.versions, fingerprint, header.metrics)


def _digest(header: str, arrays: Arrays) -> str:
    digest = hashlib.sha256(header.encode())
    for name, a in arrays.items():
        digest.update(f"{name} {a.dtype.str} {a.shape}".encode())
        digest.update(a.tobytes())
    return digest.hexdigest()
