"""Watches the folder into which an instrument's software writes its tables, and hands each row on once.

A row is known by its file's name, its number and what it says: a file that is moved, read again after a restart, or
grows while it is written gives every row once. What cannot be a reading is set aside with the reason.
"""

import csv
import hashlib
import io
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filmloop_client.mapping import Mapping
from filmloop_client.spool import Lane, Spool

logger = logging.getLogger("filmloop.client")


@dataclass
class Seen:
    """What came of looking through a folder."""

    files: int = 0
    """Files that were read; those that did not change since the last look are not."""
    readings: int = 0
    """Readings that were new, and wait to be sent now."""
    refused: int = 0
    """Rows that were new and cannot be readings: set aside."""


@dataclass(frozen=True)
class _Table:
    name: str
    changed: datetime
    header: list[str]
    rows: list[list[str]]


class Watcher:
    """Takes new rows of a folder into a spool."""

    def __init__(self, folder: Path | str, mapping: Mapping, spool: Spool, campaign_id: str) -> None:
        """Prepare; nothing is read yet.

        Args:
            folder: Where the tables are written.
            mapping: What their columns mean.
            spool: Where their rows wait to be sent, and by which rows of before a restart are known.
            campaign_id: Whose readings they are.
        """
        self.folder, self.mapping, self.spool = Path(folder), mapping, spool
        self._lane = Lane(campaign_id, mapping.instrument)
        self._known: dict[Path, tuple[int, int]] = {}
        self.unreadable: dict[str, str] = {}
        """Why files could not be read when last looked at, by name."""

    def look(self, *, settled: bool = False) -> Seen:
        """Take what is new.

        Args:
            settled: Whether every file is complete; else those that changed a moment ago are read to their last whole
                line only.
        """
        seen = Seen()
        for path in sorted(self.folder.glob(self.mapping.files.pattern)):
            if not path.is_file():
                continue
            try:
                self._look_at(path, seen, settled=settled)
                self.unreadable.pop(path.name, None)
            except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
                # It may be written just now, or held by another program: it is looked at again.
                reason = f"{type(error).__name__}: {error}" if isinstance(error, OSError) else str(error)
                if self.unreadable.get(path.name) != reason:
                    logger.warning("%s cannot be read: %s", path, reason)
                self.unreadable[path.name] = reason
        return seen

    def _look_at(self, path: Path, seen: Seen, *, settled: bool) -> None:
        found = path.stat()
        stamp = (found.st_mtime_ns, found.st_size)
        complete = settled or time.time() - found.st_mtime > self.mapping.files.settled_s
        if self._known.get(path) == stamp:
            return
        changed = datetime.fromtimestamp(found.st_mtime, UTC)
        table = self._table(path, changed, complete=complete)
        if table is not None:
            self._take(table, seen)
            seen.files += 1
        if complete:  # else its last line may be still to come, though nothing else changes
            self._known[path] = stamp

    def _table(self, path: Path, changed: datetime, *, complete: bool) -> _Table | None:
        """The whole rows of a file; None if there are none yet."""
        files = self.mapping.files
        text = path.read_bytes().decode(files.encoding)
        if not complete:
            text = text[: text.rfind("\n") + 1]
        lines = text.splitlines(keepends=True)[files.skip_lines :]
        if not lines:
            return None
        between = files.delimiter or next((d for d in "\t;," if d in lines[0]), ",")
        records = [
            record for record in csv.reader(io.StringIO("".join(lines), newline=""), delimiter=between) if record
        ]
        if not complete and text.count('"') % 2:  # the last record goes on in a line that is still to come
            records.pop()
        if not records:
            return None
        header = [cell.strip() for cell in records[0]]
        if missing := sorted(self.mapping.columns() - set(header)):
            raise ValueError(f"no column {', '.join(map(repr, missing))}; there are {', '.join(map(repr, header))}")
        return _Table(path.name, changed, header, records[1:])

    def _take(self, table: _Table, seen: Seen) -> None:
        names = dict(_named(table))
        new = names.keys() - self.spool.taken(names)
        readings: list[dict[str, Any]] = []
        refused: list[tuple[dict[str, Any], str]] = []
        for name, cells in names.items():
            if name not in new:
                continue
            row = dict(zip(table.header, (cell.strip() for cell in cells), strict=False))
            if len(cells) != len(table.header):
                refused.append(({"file": table.name, **row}, f"{len(cells)} cells under {len(table.header)} columns"))
                continue
            try:
                readings += self.mapping.readings(row, table.name, table.changed, name)
            except ValueError as error:
                refused.append(({"file": table.name, **row}, _said(error)))
        if new:
            self.spool.put(self._lane, readings, names=sorted(new), refused=refused)
        seen.readings += len(readings)
        seen.refused += len(refused)


def _named(table: _Table) -> Iterator[tuple[str, list[str]]]:
    for number, cells in enumerate(table.rows):
        said = "\x1f".join([table.name, str(number), *cells])
        yield hashlib.sha256(said.encode()).hexdigest()[:40], cells


def _said(error: ValueError) -> str:
    """The first line of it that says something; pydantic's first line only counts."""
    lines = [line.strip() for line in str(error).splitlines()]
    return lines[0] if len(lines) == 1 else "; ".join(lines[1:3])
