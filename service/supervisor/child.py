"""A supervised process: what runs, when it may be started again, and how it is stopped."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from service.embedded.process import spawn

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 5.0
STEADY_S = 10.0
"""A process that lived this long is not in a loop of crashes; its next restart is quick again."""


class Startable(Protocol):
    """What can be started, watched by its process and stopped; the embedded servers are such too."""

    process: subprocess.Popen[bytes] | None

    def start(self) -> object:
        """Start; may be called again after the process has ended."""

    def stop(self) -> None:
        """End for good."""


@dataclass
class Program:
    """A Python process of ours."""

    command: Sequence[str]
    env: Mapping[str, str]
    output: int
    niceness: int = 0
    keep: Sequence[int] = ()
    """File descriptors that it inherits."""
    pulse: Path | None = None
    """File that it touches while it works and removes when it rests; none if it gives no such sign."""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start without waiting for it to be ready. If we die it is killed: whatever it does is safe to lose."""
        if self.pulse is not None:
            self.pulse.unlink(missing_ok=True)
        self.process = spawn(
            self.command,
            env=self.env,
            output=self.output,
            niceness=self.niceness,
            keep=self.keep,
            death_signal=signal.SIGKILL,
        )

    def stop(self) -> None:
        """Cut it, if it has not ended by itself; see `ask_to_end`."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def silent_s(self) -> float:
        """Seconds since its last sign of life in the middle of work; 0 if it rests."""
        try:
            return 0.0 if self.pulse is None else time.time() - self.pulse.stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def ask_to_end(self) -> None:
        """SIGTERM: finish what is under way and go."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()


@dataclass
class Child:
    """A startable thing under supervision."""

    name: str
    runs: Startable
    started_at: float = 0.0
    _delay_s: float = FIRST_DELAY_S
    _due_at: float | None = field(default=None)

    def start(self) -> None:
        """Start it, first or again.

        Raises:
            CannotStart: If it is one that waits until it is ready, and is not.
        """
        self._due_at = None
        self.started_at = time.monotonic()
        self.runs.start()

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        process = self.runs.process
        return process.pid if process is not None and process.poll() is None else None

    def died(self) -> str | None:
        """Why it ended, said once for each death; none while it runs or waits for its restart."""
        process = self.runs.process
        if self._due_at is not None or process is None or process.poll() is None:
            return None
        return f"{describe(process.returncode)}; starting it again in {self.postpone():.1f} s"

    def postpone(self) -> float:
        """Plan the next start: soon after a long life, ever later after short ones. Returns the seconds until then."""
        if time.monotonic() - self.started_at > STEADY_S:
            self._delay_s = FIRST_DELAY_S
        delay_s = self._delay_s
        self._due_at = time.monotonic() + delay_s
        self._delay_s = min(2 * delay_s, LONGEST_DELAY_S)
        return delay_s

    @property
    def due(self) -> bool:
        """Whether its planned restart should happen now."""
        return self._due_at is not None and time.monotonic() >= self._due_at


def describe(status: int) -> str:
    """Say how a process ended: by which signal or with which exit status."""
    if status >= 0:
        return f"ended with exit status {status}"
    names = {number.value: number.name for number in signal.Signals}  # real-time signals have numbers only
    return f"was ended by {names.get(-status, f'signal {-status}')}"
