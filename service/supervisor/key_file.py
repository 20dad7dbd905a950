"""The file `key` in the data directory: the first key, which commands and clients on this machine ask with."""

from __future__ import annotations

import os
from pathlib import Path


def key_file(data_dir: Path) -> Path:
    """Where it is; only its owner may read it."""
    return data_dir / "key"


def read_key(data_dir: Path) -> str | None:
    """The key that is kept here; none if there is none."""
    try:
        return key_file(data_dir).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def keep_key(data_dir: Path, secret: str) -> None:
    """Keep a key for its owner alone."""
    write_secret(key_file(data_dir), f"{secret}\n")


def write_secret(path: Path, text: str) -> None:
    """Write a file of mode 0600 as a whole, so that a reader never sees half of it."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
