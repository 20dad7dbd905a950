"""Everything that `filmloop up` runs: started in order, watched, stopped in the reverse order."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from service.embedded import AlreadyRunning, CannotStart, PostgresServer, ValkeyServer
from service.embedded.process import DirectoryLock
from service.errors import NoKeys
from service.settings import Settings
from service.supervisor import programs
from service.supervisor.address import Knock, base_url, listen, open_to_all
from service.supervisor.child import Child, Program, Startable
from service.supervisor.key_file import read_key
from service.supervisor.run_file import run_file, write_run_file
from service.supervisor.stream import Stream, StreamHandler

API_READY_S = 60.0
GRACE_S = 10.0
"""How long the API and the workers may take to finish what is under way when they are asked to stop."""
STOP_FOLLOWS_S = 3.0
"""A part that ends while all starts may have heard the stop first; this long it is waited for here. On a machine with
much else to do half a second was not always enough."""
OUTSIDE = 1.25
"""Of the silence after which a worker ends itself and says where it hangs: so much later it is killed from here."""
WORKER_NICENESS = 10
"""A training model must not slow down the robot's call."""
TRAINER = "trainer"
TRAINER_NICENESS = 15
"""And a training generator no decision."""


class Stopping(Exception):
    """Raised out of a wait when the stack is told to stop while it is still starting."""


class Stack:
    """One Filmloop on one data directory. It is run by one thread, which outlives the children."""

    def __init__(self, settings: Settings, *, workers: int = 1, terminal: TextIO | None = None) -> None:
        """Start nothing yet.

        Args:
            settings: Addresses that they give are used, others are embedded.
            workers: How many worker processes.
            terminal: Where the log is shown beside its file.

        Raises:
            CannotStart: If it would listen beyond this machine where there can be no keys yet.
        """
        if not settings.api.on_loopback and settings.database.url is None and not _has_record(settings.data_dir):
            raise CannotStart(str(NoKeys(settings.api.host)))
        self.settings = settings
        self.url = ""
        self.ready = threading.Event()
        self.stopping = threading.Event()
        """Set from outside to stop; `hurry` as well to cut what would be waited for."""
        self.hurry = threading.Event()
        self.ended = threading.Event()
        self.api_ready_s = 0.0
        self.first_key: str | None = None
        """The key that was made by this start, if it made one."""
        self._workers = workers
        self._terminal = terminal
        self._lock = DirectoryLock(settings.data_dir / "up.lock")
        self._stream: Stream | None = None
        self._handler: logging.Handler | None = None
        self._children: dict[str, Child] = {}
        self._addresses: dict[str, str] = {}
        self._env: dict[str, str] = {}
        """Of the children that serve, once the addresses are known."""
        self._listener: socket.socket | None = None

    @property
    def log_file(self) -> Path:
        """The log of all processes together."""
        return self.settings.data_dir / "log" / "filmloop.log"

    def run(self) -> None:
        """Start, watch until told to stop, stop.

        Raises:
            CannotStart: If a part does not come up.
            AlreadyRunning: If Filmloop runs on this data directory already; nothing was touched.
        """
        self._take_directory()
        try:
            self._open_log()
            try:
                self._start()
                self.ready.set()
                self._watch()
            except Stopping:
                pass
            finally:
                self._stop()
        finally:
            self._close_log()
            self._lock.release()

    def runs_elsewhere(self) -> str | None:
        """The address of the Filmloop that another process runs on this data directory; none if there is none."""
        lock = DirectoryLock(self._lock.path)
        try:
            lock.acquire()
        except AlreadyRunning:
            return _read_note(self._lock.path).get("url")
        except OSError:  # no such directory yet
            return None
        lock.release()
        return None

    def say(self, message: str) -> None:
        """Write a line into the log."""
        if self._stream is not None:
            self._stream.say(message)

    def _take_directory(self) -> None:
        directory = self.settings.data_dir
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
        except AlreadyRunning as error:
            raise AlreadyRunning(_who_runs(self._lock.path)) from error
        except OSError as error:
            raise CannotStart(f"cannot use the data directory {directory}: {error.strerror}") from error

    def _open_log(self) -> None:
        self._stream = Stream(self.log_file, self._terminal, self.settings.log.as_json)
        self._handler = StreamHandler(self._stream)
        embedded = logging.getLogger("filmloop.embedded")
        embedded.addHandler(self._handler)
        embedded.setLevel(logging.INFO)
        embedded.propagate = False

    def _close_log(self) -> None:
        if self._stream is not None and self._handler is not None:
            embedded = logging.getLogger("filmloop.embedded")
            embedded.removeHandler(self._handler)
            embedded.propagate = True
            self._stream.close()

    def _start(self) -> None:
        self._listener = listen(self.settings.api)
        host, port = self._listener.getsockname()[:2]
        self.url = base_url(host, port)
        self._lock.write(json.dumps({"pid": os.getpid(), "url": self.url}).encode())
        programs.summons(self.settings).unlink(missing_ok=True)
        database_url, broker_url = self._start_servers()
        self._addresses = {"database": database_url, "broker": broker_url}
        env = programs.child_environment(self.settings, database_url, broker_url, port)
        known = read_key(self.settings.data_dir)
        self._migrate(env)
        kept = read_key(self.settings.data_dir)
        self.first_key = kept if known is None else None
        open_to_all(self._listener)
        descriptor = self._listener.fileno()
        self._begin_program("api", programs.api_command(descriptor), env, keep=[descriptor])
        for number in range(1, self._workers + 1):
            name = f"worker-{number}"
            command = programs.worker_command(programs.hostname(self.settings, name))
            self._begin(name, self._worker(name, command, env, WORKER_NICENESS))
        self._await_api(host, port)
        self._begin_program("housekeeping", programs.housekeeping_command(), env)
        self._env = env

    def _worker(self, name: str, command: list[str], env: dict[str, str], niceness: int) -> Program:
        pulse = self.settings.data_dir / f"{name}.pulse"
        own = env | {"FILMLOOP_WORKER__PULSE": str(pulse)}
        return Program(command, own, self._pipe(name), niceness, pulse=pulse)

    def _summon_trainer(self) -> None:
        """Start the worker that trains generators once a training waits: most campaigns have none."""
        if self._workers and TRAINER not in self._children and programs.summons(self.settings).exists():
            command = programs.worker_command(programs.hostname(self.settings, TRAINER), "workers.trainer:app", "train")
            child = Child(TRAINER, self._worker(TRAINER, command, self._env, TRAINER_NICENESS))
            self._children[TRAINER] = child
            self._restart(child)

    def _start_servers(self) -> tuple[str, str]:
        """Start what no address was given for; returns the addresses of database and broker."""
        directory, pipe = self.settings.data_dir, self._pipe
        database_url, broker_url = self.settings.database.url, self.settings.broker.url
        if database_url is None:
            postgres = PostgresServer(directory, output=pipe("postgres"), pause=self._pause)
            self._begin("postgres", postgres)
            database_url = postgres.url
        if broker_url is None:
            valkey = ValkeyServer(directory, output=pipe("valkey"), pause=self._pause)
            self._begin("valkey", valkey)
            broker_url = valkey.url
        return database_url, broker_url

    def _migrate(self, env: dict[str, str]) -> None:
        program = Program(programs.migrate_command(), env, self._pipe("migrate"))
        program.start()
        try:
            while program.process is not None and program.process.poll() is None:
                self._pause(0.02)
        finally:
            program.stop()
        if program.process is not None and program.process.returncode == programs.NO_KEYS:
            raise self._cannot_start(str(NoKeys(self.settings.api.host)))
        if program.process is not None and program.process.returncode != 0:
            raise self._cannot_start(
                f"the database could not be migrated; see the lines of `migrate` in {self.log_file}"
            )

    def _begin_program(self, name: str, command: list[str], env: dict[str, str], *, keep: Sequence[int] = ()) -> None:
        self._begin(name, Program(command, env, self._pipe(name), keep=keep))

    def _begin(self, name: str, runs: Startable) -> None:
        child = Child(name, runs)
        self._children[name] = child
        try:
            child.start()
        except CannotStart as error:
            raise self._cannot_start(f"{error} ({self.log_file})") from error
        self._write_run_file()

    def _await_api(self, host: str, port: int) -> None:
        child = self._children["api"]
        while not self._knock(child, host, port):
            waited_s = time.monotonic() - child.started_at
            if child.pid is None or waited_s > API_READY_S:
                state = "ended" if child.pid is None else f"was not ready within {API_READY_S:.0f} s"
                raise self._cannot_start(f"the API {state}; see the lines of `api` in {self.log_file}")
            self._pause(0.1)
        self.api_ready_s = time.monotonic() - child.started_at

    def _knock(self, child: Child, host: str, port: int) -> bool:
        """Ask the API once, and wait for the answer while its process lives."""
        knock = Knock(host, port)
        try:
            while child.pid is not None and time.monotonic() - child.started_at <= API_READY_S:
                if (answer := knock.answer(wait_s=0.05)) is not None:
                    return answer
                self._pause(0)
            return False
        finally:
            knock.close()

    def _watch(self) -> None:
        """Start again whatever ends, until told to stop."""
        while not self.stopping.wait(0.1):
            self._summon_trainer()
            for child in self._children.values():
                if (reason := child.died()) is not None:
                    self.say(f"{child.name} {reason}")
                    self._write_run_file()
                elif child.due:
                    self._restart(child)
                else:
                    self._end_if_silent(child)

    def _end_if_silent(self, child: Child) -> None:
        """Kill what hangs in the middle of its work and did not end by itself; it is started again like any other."""
        bound = OUTSIDE * self.settings.worker.silent_s
        if isinstance(child.runs, Program) and child.pid is not None and (silent := child.runs.silent_s()) > bound:
            self.say(f"{child.name} has made no progress for {silent:.0f} s and is killed")
            child.runs.stop()

    def _restart(self, child: Child) -> None:
        try:
            child.start()
        except (CannotStart, OSError) as error:  # the machine may be out of processes or memory for a moment
            self.say(f"{child.name} did not start: {error}; next try in {child.postpone():.1f} s")
        else:
            self.say(f"{child.name} runs again (pid {child.pid})")
        self._write_run_file()

    def _stop(self) -> None:
        """API first, so that nothing new comes in; then those who use the servers; then the servers."""
        if self._children:
            self.say("stopping")
        rest = [name for name in self._children if name not in {"api", "valkey", "postgres"}]
        self._end_programs(["api"])
        if self._listener is not None:
            self._listener.close()
        self._end_programs(rest)
        for name in ("valkey", "postgres"):
            if name in self._children:
                self._children.pop(name).runs.stop()
        run_file(self.settings.data_dir).unlink(missing_ok=True)
        self.say("stopped")

    def _end_programs(self, names: list[str]) -> None:
        """Ask all of them to end, wait, cut those that take too long."""
        children = [self._children.pop(name) for name in names if name in self._children]
        for child in children:
            if isinstance(child.runs, Program):
                child.runs.ask_to_end()
        deadline = time.monotonic() + GRACE_S
        while any(child.pid for child in children) and time.monotonic() < deadline and not self.hurry.is_set():
            time.sleep(0.02)
        for child in children:
            if child.pid is not None:
                self.say(f"{child.name} is cut in the middle of its work; what it did not commit is done again later")
            child.runs.stop()

    def _cannot_start(self, why: str) -> CannotStart:
        """The error to raise, unless this is the end: a terminal tells the children to stop together with this process.

        Raises:
            Stopping: If this process is told to stop, too.
        """
        self._pause(STOP_FOLLOWS_S)
        return CannotStart(why)

    def _pipe(self, name: str) -> int:
        if self._stream is None:
            raise RuntimeError("the log is not open")
        return self._stream.pipe(name)

    def _pause(self, seconds: float) -> None:
        if self.stopping.wait(seconds):
            raise Stopping

    def _write_run_file(self) -> None:
        pids = {name: child.pid for name, child in self._children.items()}
        facts = {"url": self.url, "pid": os.getpid(), "log": str(self.log_file), "pids": pids}
        write_run_file(self.settings.data_dir, facts | self._addresses)


def _has_record(data_dir: Path) -> bool:
    """Whether the embedded database was ever started here."""
    return any(data_dir.glob("pg[0-9]*/PG_VERSION"))


def _who_runs(lock: Path) -> str:
    """Name the Filmloop that holds this lock."""
    note = _read_note(lock)
    where = f"at {note['url']} (pid {note['pid']})" if {"url", "pid"} <= note.keys() else "(it is still starting)"
    return f"Filmloop is already running {where}, data in {lock.parent}"


def _read_note(lock: Path) -> dict[str, Any]:
    """What the lock's holder wrote into it; empty while it is still starting."""
    try:
        note = json.loads(lock.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return {}
    return note if isinstance(note, dict) else {}
