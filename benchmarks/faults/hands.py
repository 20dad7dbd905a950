"""Workers that can be killed by the hundred: forked from one process that has loaded everything.

    python -m benchmarks.faults.hands

It reads orders as lines of JSON and answers each with a line: `{"pid": ...}` for a child that it forked, or
`{"status": ...}` for one that it waited for. A child does one job as the worker's task does, in a process of its own.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

PHASES = ("taken", "read", "training", "writing", "stored", "publishing", "published", "explaining")
"""Where a worker can be told to die: with the job taken; with D_t read; in the middle of training or search; while it
writes the model's file; with the file written; in the transaction that publishes; after it; while it explains."""
ANSWER_S = 120.0


@dataclass(frozen=True)
class Order:
    """What a child shall do."""

    database: str
    data_dir: str
    job_id: str
    worker: str = "worker"
    die_at: str | None = None
    """A phase."""
    hang: bool = False
    """Whether to make no progress any more, as soon as training begins."""
    silent_s: float = 120.0
    naive: str | None = None
    """A care that is left out."""


class Hands:
    """The process that forks workers, from outside."""

    def __init__(self, log: Path) -> None:
        """Start it; `log` is where its children write."""
        self.log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.faults.hands"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                cwd=Path(__file__).parents[2],
                env=os.environ | {"OMP_NUM_THREADS": "1", "FILMLOOP_LOG__LEVEL": "WARNING"},
            )

    def start(self, order: Order) -> int:
        """Begin a job in a process of its own; its process id."""
        return int(self._ask({"start": vars(order)})["pid"])

    def wait(self, pid: int, within_s: float = ANSWER_S) -> int | None:
        """How it ended: its exit status, or minus the signal; None if it still lives after so many seconds."""
        status = self._ask({"wait": pid, "within_s": within_s})["status"]
        return None if status is None else int(status)

    def work(self, order: Order) -> int | None:
        """Both."""
        return self.wait(self.start(order))

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=30)

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the hands are gone: {self.log.read_text()[-2000:]}"
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def hands(folder: Path) -> Iterator[Hands]:
    """Workers for the length of a `with` block."""
    folder.mkdir(parents=True, exist_ok=True)
    found = Hands(folder / "hands.log")
    try:
        yield found
    finally:
        found.close()


def _die(*_: object, **__: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL did not end this process")


def _then_die(function: Callable[..., Any]) -> Callable[..., Any]:
    def done(*args: object, **kwargs: object) -> None:
        function(*args, **kwargs)
        _die()

    return done


def _doomed(phase: str) -> None:
    """Let this process die when it comes to a phase."""
    from service.operations import decisions  # noqa: PLC0415 - loaded by the parent, before the fork
    from service.store import artifacts  # noqa: PLC0415
    from workers import decide  # noqa: PLC0415

    replaced: dict[str, tuple[Any, str, Callable[..., Any]]] = {
        "taken": (decisions, "read_input", _die),
        "read": (decide, "train", _die),
        "writing": (artifacts.os, "fsync", _die),  # type: ignore[attr-defined]  # of its own module
        "stored": (decisions, "store_artifact", _then_die(decisions.store_artifact)),
        "publishing": (decisions, "publish", _then_die(decisions.publish)),
        "published": (decisions, "publish_decision", _then_die(decisions.publish_decision)),
        "explaining": (decisions, "explain", _then_die(decisions.explain)),  # type: ignore[attr-defined]
    }
    if phase == "training":
        _on_progress(lambda said: _die() if said > 3 else None)
        return
    module, name, function = replaced[phase]
    setattr(module, name, function)


def _on_progress(act: Callable[[int], None]) -> None:
    from workers import decide  # noqa: PLC0415

    beginning = decide._heartbeat

    def heartbeat(*args: Any) -> Callable[[str], None]:  # noqa: ANN401 - as the real one
        real, said = beginning(*args), 0

        def progress(phase: str) -> None:
            nonlocal said
            real(phase)
            said += 1
            act(said)

        return progress

    decide._heartbeat = heartbeat


def _hang(_said: int) -> None:
    time.sleep(3600)


def _without(care: str) -> None:
    """Leave a care out."""
    from benchmarks.faults import naive_workers  # noqa: PLC0415

    naive_workers.VARIANTS[care]()


def _child(order: Order) -> None:
    """What a forked process does."""
    from service.settings import DatabaseSettings, Settings  # noqa: PLC0415
    from service.store.session import make_engine, make_sessions  # noqa: PLC0415
    from workers import decide  # noqa: PLC0415
    from workers.pulse import Pulse  # noqa: PLC0415

    settings = Settings(database=DatabaseSettings(url=order.database), data_dir=Path(order.data_dir))
    sessions = make_sessions(make_engine(order.database, pool_size=2))
    decide.pulse = Pulse(order.silent_s)
    if order.naive is not None:
        _without(order.naive)
    if order.die_at is not None:
        _doomed(order.die_at)
    if order.hang:
        _on_progress(_hang)
    with decide.pulse.working():
        decide.run(sessions, settings, order.job_id, order.worker)


def _forked(order: Order) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _child(order)
        status = 0
    finally:
        sys.stderr.flush()
        os._exit(status)


def _waited(pid: int, within_s: float) -> int | None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None


def main() -> None:
    """Serve orders until there are no more."""
    from service.settings import Settings  # noqa: PLC0415 - this module is loaded by tests, too
    from service.telemetry import configure_logging  # noqa: PLC0415
    from workers import decide  # noqa: PLC0415

    configure_logging(Settings())
    assert decide.run is not None
    assert threading.active_count() == 1, "a process with threads must not be forked"
    for line in sys.stdin:
        asked = json.loads(line)
        if "start" in asked:
            answer: dict[str, int | None] = {"pid": _forked(Order(**asked["start"]))}
        else:
            answer = {"status": _waited(asked["wait"], asked["within_s"])}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
