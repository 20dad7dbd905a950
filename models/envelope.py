"""The bytes of a stored model: arrays (safetensors) with a JSON header. Never a pickled class, never a Python path.

A plain safetensors file whose metadata holds `filmloop`: the header, and `sha256` over header and arrays. It is read
and written without torch, so that a process which only predicts need not load it.
"""

import hashlib
import json
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from models.errors import IncompatibleCheckpoint

Arrays = dict[str, NDArray[Any]]


class Header(BaseModel):
    """What the arrays mean and where they come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["filmloop/1"] = "filmloop/1"
    surrogate: str
    """Name in the catalogue."""
    columns: tuple[str, ...]
    seed: int
    versions: dict[str, str]
    fingerprint: str
    metrics: dict[str, Any]


class GeneratorHeader(BaseModel):
    """The same for a generator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["filmloop-generator/1"] = "filmloop-generator/1"
    generator: str
    """Name in the catalogue."""
    elements: tuple[str, ...]
    properties: tuple[str, ...]
    process: tuple[str, ...]
    seed: int
    versions: dict[str, str]
    fingerprint: str
    metrics: dict[str, Any]


AnyHeader = TypeVar("AnyHeader", Header, GeneratorHeader)


def sealed(header: Header | GeneratorHeader, arrays: Arrays) -> bytes:
    """Write header and arrays; equal ones give equal bytes."""
    text = header.model_dump_json()
    contiguous = {name: np.ascontiguousarray(a) for name, a in sorted(arrays.items())}
    # One metadata entry only: the writer keeps the entries of a map in no fixed order.
    return save(contiguous, metadata={"filmloop": json.dumps({"header": text, "sha256": _digest(text, contiguous)})})


def opened(data: bytes) -> tuple[Header, Arrays]:
    """Read a surrogate that `sealed` wrote.

    Raises:
        IncompatibleCheckpoint: If the bytes are damaged or of another format.
    """
    return opened_as(Header, data)


def opened_as(kind: type[AnyHeader], data: bytes) -> tuple[AnyHeader, Arrays]:
    """Read what `sealed` wrote with a header of this kind.

    Raises:
        IncompatibleCheckpoint: If the bytes are damaged or of another format.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        wrapped = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["filmloop"])
        arrays = dict(sorted(load(data).items()))
        header = kind.model_validate_json(wrapped["header"])
        if wrapped["sha256"] != _digest(wrapped["header"], arrays):
            raise IncompatibleCheckpoint("the checksum of the stored model is wrong: its bytes are damaged")
    except (SafetensorError, ValidationError, ValueError, KeyError, TypeError) as error:
        raise IncompatibleCheckpoint(f"not a {kind.model_fields['format'].default} checkpoint: {error}") from error
    return header, arrays


def _digest(header: str, arrays: Arrays) -> str:
    digest = hashlib.sha256(header.encode())
    for name, a in arrays.items():
        digest.update(f"{name} {a.dtype.str} {a.shape}".encode())
        digest.update(a.tobytes())
    return digest.hexdigest()
