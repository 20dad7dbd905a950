"""Finished campaigns, one JSON line each: an interrupted study goes on where it stopped."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

Record = dict[str, Any]
RESULTS = Path(__file__).parents[1] / "results" / "decisions"


class Key(NamedTuple):
    """What tells one campaign from another."""

    task: str
    arm: str
    version: str
    seed: int
    offset: float
    films: int


@dataclass(frozen=True)
class Records:
    """The campaigns of one study."""

    path: Path

    def all(self) -> list[Record]:
        """Every finished campaign; a line cut off by a kill is left out."""
        return list(self._lines()) if self.path.exists() else []

    def keys(self) -> set[Key]:
        """Keys of every finished campaign."""
        return {key_of(record) for record in self.all()}

    def add(self, record: Record) -> None:
        """Keep one campaign, at once, in one write; a line cut off by a kill is dropped first."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            file.seek(0)
            whole = file.read().rfind(b"\n") + 1
            if whole < file.tell():
                file.truncate(whole)
            file.write(json.dumps(record).encode() + b"\n")

    def _lines(self) -> Iterable[Record]:
        for line in self.path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)


def key_of(record: Record) -> Key:
    """The key of one campaign."""
    return Key(*(record[name] for name in Key._fields))
