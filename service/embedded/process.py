"""Child processes of the embedded default: started so that they die with their parent, found again if they did not."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Literal, Self

import psutil

Identity = Literal["same", "namespace", "nobody"]
"""As whom a child runs; see `launch.py`."""

log = logging.getLogger("filmloop.embedded")
LAUNCHER = Path(__file__).with_name("launch.py")


class CannotStart(RuntimeError):
    """A part of the embedded default did not come up. The operator must act on what the message says."""


class AlreadyRunning(CannotStart):
    """Another process holds this data directory. Use it, stop it, or choose another directory."""


def spawn(
    command: Sequence[str | Path],
    *,
    death_signal: signal.Signals = signal.SIGKILL,
    identity: Identity = "same",
    niceness: int = 0,
    env: Mapping[str, str] | None = None,
    output: int | IO[bytes] | None = None,
    stdin: int = subprocess.DEVNULL,
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a direct child in a session of its own, so that Ctrl-C in the terminal reaches the parent only.

    Linux sends `death_signal` when the calling *thread* ends: call it from one that lives as long as the child.

    Args:
        command: The program's path and its arguments.
        death_signal: What the child receives when its parent dies (Linux).
        identity: As whom it runs.
        niceness: Added to the parent's own.
        env: The whole environment; none means the parent's.
        output: Where both its output streams go; none means the parent's.
        stdin: Where its input comes from.
        keep: File descriptors that it inherits under the same numbers.
    """
    facts = [str(os.getpid()), str(int(death_signal)), identity, str(niceness)]
    return subprocess.Popen(  # noqa: S603 - our own launcher and a program of our choice
        [sys.executable, "-I", "-S", LAUNCHER, *facts, *command],
        env=env,
        stdin=stdin,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        cwd="/",
        pass_fds=keep,
        start_new_session=True,
    )


def stop_child(process: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn and wait as many seconds as it is given; returns when the child has ended."""
    for number, grace_s in steps:
        process.send_signal(number)  # does nothing if it has ended
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            log.warning("process %d did not end within %.0f s of %s", process.pid, grace_s, number.name)
        else:
            return


def find_running(program: str, directory: Path) -> list[psutil.Process]:
    """Live processes named `program` that work in `directory`; zombies are dead.

    Servers change into their data directory, so this needs no process id on disk, which might belong to another by now.
    """
    place = str(directory.resolve())
    return [process for process in psutil.process_iter() if _is(process, program, place)]


def _is(process: psutil.Process, program: str, place: str) -> bool:
    try:
        dead = process.status() == psutil.STATUS_ZOMBIE
        return bool(process.name() == program and not dead and process.cwd() == place)
    except psutil.Error:  # it has just ended, or belongs to somebody else
        return False


def end(processes: Iterable[psutil.Process], signals: Sequence[signal.Signals], grace_s: float) -> None:
    """Send each signal in turn, from the polite to the final, until no process is left; `grace_s` after each.

    Raises:
        CannotStart: If one outlives them all.
    """
    alive = list(processes)
    for number in signals:
        for process in alive:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue
        _, alive = psutil.wait_procs(alive, timeout=grace_s)
        if not alive:
            return
    if alive:
        raise CannotStart(f"process {alive[0].pid} does not end; end it by hand and start again")


def wait_gone(program: str, directory: Path, timeout_s: float) -> bool:
    """Wait until no `program` works in `directory`; false if one is still there in the end."""
    deadline = time.monotonic() + timeout_s
    while find_running(program, directory):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class DirectoryLock:
    """An advisory lock on a file, freed by the kernel when its holder dies, however it dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def acquire(self) -> Self:
        """Take the lock.

        Raises:
            AlreadyRunning: If another process (or another object of this one) holds it.
        """
        file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise AlreadyRunning(f"another process uses {self.path.parent}") from error
        self._file = file
        return self

    def write(self, content: bytes) -> None:
        """Leave a note for whoever finds the lock taken."""
        if self._file is None:
            raise RuntimeError("the lock is not held")
        self._file.seek(0)
        self._file.truncate()
        self._file.write(content)
        self._file.flush()

    def release(self) -> None:
        """Free the lock; harmless if it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None
