"""The note `run.json` in the data directory: where a running Filmloop is and of which processes it consists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil


def run_file(data_dir: Path) -> Path:
    """Where the note is; it goes when the stack stops."""
    return data_dir / "run.json"


def write_run_file(data_dir: Path, facts: Mapping[str, Any]) -> None:
    """Replace the note as a whole, so that a reader never sees half of it. It holds passwords: mode 0600."""
    new = run_file(data_dir).with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(json.dumps(facts), encoding="utf-8")
    new.replace(run_file(data_dir))


def read_run_file(data_dir: Path) -> dict[str, Any] | None:
    """The note of the Filmloop that runs here; none if there is none, or if it was left by one that was killed."""
    try:
        facts = json.loads(run_file(data_dir).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) and psutil.pid_exists(facts.get("pid", -1)) else None
