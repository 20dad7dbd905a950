"""A whole Filmloop of real processes, and what a test needs to kill them."""

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from benchmarks.faults.served import wait_for
from service.settings import Settings
from service.supervisor import running


@dataclass(frozen=True)
class Stack:
    """A running Filmloop."""

    url: str
    data_dir: Path
    log_file: Path
    key: str | None

    def facts(self) -> dict[str, Any]:
        """Addresses and process ids at this moment."""
        found: dict[str, Any] = json.loads((self.data_dir / "run.json").read_text())
        return found

    def kill(self, name: str) -> int:
        """SIGKILL one process; returns its id."""
        pid = int(self.facts()["pids"][name])
        os.kill(pid, signal.SIGKILL)
        return pid

    def await_restart(self, name: str, killed: int, *, within_s: float = 30.0) -> None:
        """Wait until the supervisor has started another process under that name."""
        wait_for(lambda: self.facts()["pids"].get(name) not in (None, killed), within_s=within_s)

    def query(self, statement: str, **values: object) -> list[Any]:
        """Rows straight from the database."""
        engine = create_engine(self.facts()["database"], poolclass=NullPool)
        with engine.connect() as connection:
            return list(connection.execute(text(statement), values))


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One Filmloop per module: its own Postgres, broker, API, worker and housekeeping."""
    with (
        tempfile.TemporaryDirectory(prefix="filmloop-fault-") as folder,
        running(Settings(data_dir=Path(folder))) as filmloop,
    ):
        yield Stack(filmloop.url, Path(folder), filmloop.log_file, filmloop.key)
