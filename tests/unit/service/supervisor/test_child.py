"""When a process is started again: soon after a long life, ever later after short ones; and what is said of it."""

import os
import signal
import sys
import time

import pytest

from service.supervisor import child as module
from service.supervisor.child import Child, Program, describe


@pytest.fixture
def short_lived():
    """A program that ends at once with exit status 3."""
    return Child("api", Program([sys.executable, "-c", "raise SystemExit(3)"], {}, output=2))


def ended(child):
    child.start()
    child.runs.process.wait()
    return child


def test_a_death_is_told_once_with_its_reason(short_lived):
    assert short_lived.died() is None
    said = ended(short_lived).died()
    assert said == f"ended with exit status 3; starting it again in {module.FIRST_DELAY_S} s"
    assert short_lived.died() is None
    assert short_lived.pid is None


def test_restarts_come_ever_later_but_not_without_bound(short_lived):
    waits = []
    for _ in range(12):
        ended(short_lived)
        waits.append(short_lived.postpone())
    assert waits[0] == module.FIRST_DELAY_S
    assert waits == sorted(waits)
    assert waits[-1] == module.LONGEST_DELAY_S


def test_a_long_life_makes_the_next_restart_quick_again(short_lived):
    for _ in range(5):
        ended(short_lived)
        short_lived.postpone()
    ended(short_lived)
    short_lived.started_at -= 2 * module.STEADY_S
    assert short_lived.postpone() == module.FIRST_DELAY_S


def test_it_is_due_after_its_delay_and_no_longer_when_it_runs(short_lived):
    ended(short_lived).died()
    assert not short_lived.due
    time.sleep(module.FIRST_DELAY_S + 0.01)
    assert short_lived.due
    ended(short_lived)
    assert not short_lived.due


def test_a_program_that_ignores_sigterm_is_cut():
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    source, target = os.pipe()
    child = Child("worker-1", Program([sys.executable, "-c", code], {}, output=target))
    child.start()
    assert os.read(source, 5) == b"deaf\n"
    child.runs.ask_to_end()
    child.runs.stop()
    assert child.runs.process.returncode == -signal.SIGKILL
    os.close(source)
    os.close(target)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "ended with exit status 0"),
        (1, "ended with exit status 1"),
        (-9, "was ended by SIGKILL"),
        (-40, "was ended by signal 40"),
    ],
)
def test_how_a_process_ended_is_said_in_words(status, words):
    assert describe(status) == words
