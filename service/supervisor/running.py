"""A whole Filmloop for the length of a `with` block."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from service.embedded import CannotStart
from service.settings import Settings
from service.supervisor.key_file import read_key
from service.supervisor.stack import Stack


@dataclass(frozen=True)
class Running:
    """A Filmloop that answers."""

    url: str
    """Base URL of the API, such as `http://127.0.0.1:8000`."""
    log_file: Path
    """The log of all its processes."""
    key: str | None
    """What to ask it with; none if its data directory has no key."""


@contextmanager
def running(settings: Settings, *, workers: int = 1, terminal: TextIO | None = None) -> Iterator[Running]:
    """Start everything, wait until it is ready, stop everything at the end.

    If Filmloop runs on this data directory already, that one is used and left running.

    Args:
        settings: Addresses that they give are used, others are embedded under `settings.data_dir`.
        workers: How many worker processes.
        terminal: Where the log is shown beside its file; none for silence.

    Raises:
        CannotStart: If a part does not come up.
    """
    stack = Stack(settings, workers=workers, terminal=terminal)
    if (url := stack.runs_elsewhere()) is not None:
        yield Running(url, stack.log_file, read_key(settings.data_dir))
        return
    with supervised(stack):
        while not stack.ready.wait(0.1):
            if stack.ended.is_set():
                raise CannotStart("Filmloop did not start")  # replaced by the reason when the block ends
        yield Running(stack.url, stack.log_file, read_key(settings.data_dir))


@contextmanager
def supervised(stack: Stack) -> Iterator[Stack]:
    """Run a stack in a thread of its own, the one that starts all children and so must outlive them.

    Raises:
        CannotStart: What the thread met, once it has ended.
    """
    failures: list[Exception] = []

    def run() -> None:
        try:
            stack.run()
        except Exception as error:  # noqa: BLE001 - handed over to the thread that waits
            failures.append(error)
        finally:
            stack.ended.set()

    supervisor = threading.Thread(target=run, name="supervisor")
    supervisor.start()
    try:
        yield stack
    finally:
        stack.stopping.set()
        supervisor.join()
        if failures:
            raise failures[0]
