"""One readable stream out of many processes: each line with its author's name, on the terminal and in a file."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import threading
from pathlib import Path
from typing import TextIO

MAX_BYTES = 10_000_000
BACKUPS = 5
NAME_WIDTH = 12
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
"""ANSI foreground colours, given to names in the order in which they first speak."""


class Stream:
    """Collects what children write into their pipes. Never blocks them: a terminal that is gone is simply left out."""

    def __init__(self, file: Path, terminal: TextIO | None, as_json: bool) -> None:
        """Open the file.

        Args:
            file: Rotated at 10 MB, five old ones are kept.
            terminal: Where people read along; none for silence.
            as_json: Write one JSON object per line, with the author under `process`.
        """
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = logging.handlers.RotatingFileHandler(
            file, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8"
        )
        self._terminal = terminal
        self._as_json = as_json
        self._colours: dict[str, int] = {}
        self._guard = threading.Lock()
        self._pipes: dict[str, int] = {}
        self._readers: list[threading.Thread] = []

    def pipe(self, name: str) -> int:
        """The file descriptor into which `name` writes; the same one for every restart of it."""
        if name not in self._pipes:
            source, target = os.pipe()
            self._pipes[name] = target
            reader = threading.Thread(target=self._read, args=(name, source), name=f"log of {name}", daemon=True)
            reader.start()
            self._readers.append(reader)
        return self._pipes[name]

    def say(self, message: str, name: str = "filmloop") -> None:
        """Write a line of our own."""
        self._write(name, message)

    def close(self) -> None:
        """Write what is still in the pipes and close the file. The children must have ended."""
        for descriptor in self._pipes.values():
            os.close(descriptor)
        for reader in self._readers:
            reader.join(timeout=2.0)
        self._pipes.clear()
        self._file.close()

    def _read(self, name: str, source: int) -> None:
        with os.fdopen(source, "rb") as lines:
            while line := lines.readline(65536):
                self._write(name, line.decode(errors="replace").rstrip())

    def _write(self, name: str, line: str) -> None:
        with self._guard:
            text = self._as_object(name, line) if self._as_json else f"{name:<{NAME_WIDTH}} | {line}"
            self._file.emit(logging.makeLogRecord({"msg": text}))
            if self._terminal is not None:
                self._show(name, text)

    def _show(self, name: str, text: str) -> None:
        if self._terminal is None:
            return
        try:
            if not self._as_json and self._terminal.isatty():
                colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
                text = f"\033[{colour}m{text[:NAME_WIDTH]}\033[0m{text[NAME_WIDTH:]}"
            print(text, file=self._terminal, flush=True)
        except (OSError, ValueError):  # closed, e.g. `| head`: the file goes on
            self._terminal = None

    @staticmethod
    def _as_object(name: str, line: str) -> str:
        try:
            content = json.loads(line)
        except ValueError:
            content = None
        return json.dumps({"process": name} | (content if isinstance(content, dict) else {"event": line}))


class StreamHandler(logging.Handler):
    """Sends this process' own log lines into the stream."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(logging.INFO)
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as one line of `filmloop`."""
        self._stream.say(record.getMessage())
