"""The API as a process that can be killed, on a socket that outlives it, as the supervisor runs it."""

import multiprocessing
import multiprocessing.context
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.faults import naive as naive_variants
from benchmarks.keys import admit
from service.supervisor import serve


def wait_for(condition: Callable[[], bool], *, within_s: float, pause_s: float = 0.01) -> None:
    """Wait until `condition()` holds, or fail."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {within_s} s in vain"
        time.sleep(pause_s)


CONTEXT = multiprocessing.get_context("forkserver")
"""Processes are forked from one that has loaded everything: an API is killed and started hundreds of times here."""
MAIN = "pytest" if "pytest" in sys.modules else "__main__"
"""What every such process loads besides, since it is the main module here."""
CONTEXT.set_forkserver_preload([MAIN, "benchmarks.keys", "benchmarks.faults.naive", "benchmarks.faults.claims"])


def _serve(listener: socket.socket, settings: dict[str, str], log: Path, naive: str | None) -> None:
    """What the API's process does."""
    os.environ.update(settings)
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    if naive is None:
        serve.main(listener.detach(), "benchmarks.keys:introduced_app")
    else:
        naive_variants.main(naive, listener.detach())


class Served:
    """An API process, the real one or a naive variant of it."""

    def __init__(
        self, database_url: str, folder: Path, naive: str | None = None, more: Mapping[str, str] | None = None
    ) -> None:
        """Open the socket, start nothing.

        Args:
            database_url: Where its record is.
            folder: Its data directory; its log is kept there, too.
            naive: A variant of `benchmarks.faults.naive`.
            more: Further settings, as environment variables.
        """
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self._naive = naive
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "api.log"
        addresses = {"FILMLOOP_DATABASE__URL": database_url, "FILMLOOP_DATA_DIR": str(folder)}
        self._settings = addresses | {"FILMLOOP_LOG__LEVEL": "WARNING"} | dict(more or {})
        self.process: multiprocessing.context.ForkServerProcess | None = None

    def start(self) -> None:
        """Start it, first or again, and wait until it answers."""
        admit(self._settings["FILMLOOP_DATABASE__URL"])
        given = (self._listener, self._settings, self.log, self._naive)
        self.process = CONTEXT.Process(target=_serve, args=given, daemon=True)
        self.process.start()
        wait_for(self._answers, within_s=150)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.is_alive(), f"the API ended: {self.log.read_text()[-2000:]}"
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def end(self, by: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal; return the exit status."""
        if self.process is None or self.process.pid is None:
            return 0
        if self.process.is_alive():
            os.kill(self.process.pid, by)
        self.process.join(30)
        assert self.process.exitcode is not None, f"the API did not end by {by.name}"
        return self.process.exitcode

    def hang_up(self) -> None:
        """Give the address up: who waits for an answer there is cut off."""
        self._listener.close()

    def close(self) -> None:
        """End it for good."""
        self.end()
        self.hang_up()


@contextmanager
def served(
    database_url: str, folder: Path, naive: str | None = None, more: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """An API for the length of a `with` block."""
    folder.mkdir(parents=True, exist_ok=True)
    api = Served(database_url, folder, naive, more)
    try:
        api.start()
        yield api
    finally:
        api.close()
