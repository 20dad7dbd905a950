"""Files named by the hash of their bytes: written once, never changed, verified whenever they are read."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from service.errors import ArtifactDamaged
from service.store.tables import ArtifactRow


@dataclass(frozen=True)
class StoredArtifact:
    """A file that lies safely in the store."""

    sha256: str
    size: int
    """Bytes."""


def store(folder: Path, data: bytes) -> StoredArtifact:
    """Write `data` so that after a crash it is there as a whole or not at all. Equal bytes are stored once."""
    digest = hashlib.sha256(data).hexdigest()
    target = _path(folder, digest)
    if not _holds(target, digest):
        if not target.parent.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _sync(folder)
        _write(target, data)
    return StoredArtifact(digest, len(data))


def load(folder: Path, sha256: str) -> bytes:
    """Read an artifact back.

    Raises:
        ArtifactDamaged: If it is missing or its bytes do not match its name.
    """
    path = _path(folder, sha256)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ArtifactDamaged(f"artifact {sha256} is missing") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ArtifactDamaged(f"artifact {sha256} is damaged: its {len(data)} bytes have the hash {found}")
    return data


def record(session: Session, artifact: StoredArtifact) -> None:
    """Note in the record that the file is there; it may be noted already."""
    row = insert(ArtifactRow).values(sha256=artifact.sha256, size=artifact.size).on_conflict_do_nothing()
    session.execute(row)


def _path(folder: Path, sha256: str) -> Path:
    return folder / sha256[:2] / sha256


def _holds(path: Path, sha256: str) -> bool:
    # A damaged file is written anew rather than trusted.
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _write(target: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(target.parent)


def _sync(folder: Path) -> None:
    """A new name itself must survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
