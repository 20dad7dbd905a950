"""A worker that hangs alive in the middle of a decision: it is found out by its silence, and the loop goes on."""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.settings import Settings, WorkerSettings
from service.supervisor import running
from tests.fault.conftest import Stack
from tests.fault.test_worker_killed import FILMS, loop

SILENT_S = 6.0

pytestmark = pytest.mark.fault


@pytest.fixture
def impatient() -> Iterator[Stack]:
    """A Filmloop that waits a few seconds for progress, not minutes."""
    with tempfile.TemporaryDirectory(prefix="filmloop-fault-") as folder:
        settings = Settings(data_dir=Path(folder), worker=WorkerSettings(silent_s=SILENT_S))
        with running(settings) as filmloop:
            yield Stack(filmloop.url, Path(folder), filmloop.log_file, filmloop.key)


def stop_in_the_middle(stack: Stack, stopped: list[int], over: threading.Event) -> None:
    """SIGSTOP the worker while it has a job, once."""
    while not stopped and not over.is_set():
        if not stack.query("select 1 from job where state = 'leased'"):
            over.wait(0.01)
            continue
        pid = int(stack.facts()["pids"]["worker-1"])
        os.kill(pid, signal.SIGSTOP)
        if stack.query("select 1 from job where state = 'leased'"):
            stopped.append(pid)
        else:  # it was done a moment before
            os.kill(pid, signal.SIGCONT)


def test_a_worker_that_hangs_is_killed_and_the_loop_goes_on(impatient: Stack) -> None:
    stopped: list[int] = []
    over = threading.Event()
    stopper = threading.Thread(target=stop_in_the_middle, args=(impatient, stopped, over))
    stopper.start()
    try:
        outcome = loop(impatient)
    finally:
        over.set()
        stopper.join()
    assert len(stopped) == 1
    assert len(outcome.progress.films) == FILMS
    assert impatient.facts()["pids"]["worker-1"] not in stopped
    assert "worker-1 has made no progress for" in impatient.log_file.read_text()
    assert not impatient.query("select 1 from job where state = 'dead'")
