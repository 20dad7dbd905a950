"""Arrays of numbers under the hash of their bytes: stored once, compressed, given back bit for bit."""

import hashlib
import zlib
from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, undefer

from service.errors import ArtifactDamaged
from service.store.tables import ArrayRow

Numbers = NDArray[np.float32] | NDArray[np.float64]
LITTLE_ENDIAN = {"float32": "<f4", "float64": "<f8"}
_LEVEL = 6


def digest(array: Numbers) -> str:
    """SHA-256 of an array's type and bytes; two arrays with equal hashes are equal to the last bit."""
    return hashlib.sha256(array.dtype.name.encode() + b"\x00" + _bytes(array)).hexdigest()


def packed(array: Numbers) -> bytes:
    """Compress: first bytes of all numbers, then second bytes, and so on, since those of neighbours are alike."""
    by_number = np.frombuffer(_bytes(array), dtype=np.uint8).reshape(array.size, array.itemsize)
    return zlib.compress(np.ascontiguousarray(by_number.T).tobytes(), _LEVEL)


def unpacked(data: bytes, dtype: str, size: int) -> Numbers:
    """Undo `packed`; `size` numbers in one row."""
    kind = np.dtype(LITTLE_ENDIAN[dtype])
    by_byte = np.frombuffer(zlib.decompress(data), dtype=np.uint8).reshape(kind.itemsize, size)
    whole: Numbers = np.frombuffer(np.ascontiguousarray(by_byte.T).tobytes(), dtype=kind)
    return whole


def store(session: Session, arrays: Iterable[Numbers]) -> None:
    """Keep arrays that are not kept yet."""
    by_hash = {digest(array): array for array in arrays}
    known = set(session.scalars(select(ArrayRow.sha256).where(ArrayRow.sha256.in_(by_hash))))
    rows = [
        {"sha256": name, "dtype": array.dtype.name, "size": array.size, "data": packed(array)}
        for name, array in sorted(by_hash.items())  # in one order, so that two writers do not wait for each other
        if name not in known
    ]
    if rows:
        session.execute(insert(ArrayRow).on_conflict_do_nothing(), rows)


def load(session: Session, names: Collection[str]) -> dict[str, Numbers]:
    """Arrays by their hash.

    Raises:
        ArtifactDamaged: If one is missing or its bytes do not match its hash.
    """
    query = select(ArrayRow).where(ArrayRow.sha256.in_(names)).options(undefer(ArrayRow.data))
    try:
        found = {row.sha256: unpacked(row.data, row.dtype, row.size) for row in session.scalars(query)}
    except (zlib.error, ValueError) as error:
        raise ArtifactDamaged(f"one of the arrays {', '.join(sorted(names))} is damaged: {error}") from error
    if damaged := sorted(name for name in names if name not in found or digest(found[name]) != name):
        raise ArtifactDamaged(f"array {damaged[0]} is missing or damaged")
    return found


def _bytes(array: Numbers) -> bytes:
    return array.astype(LITTLE_ENDIAN[array.dtype.name], copy=False).tobytes()
