"""What the processes of a stack take: memory over time, processor time, and where the API spends it."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import psutil

EVERY_S = 5.0


class Watch:
    """Samples the processes under a supervisor, in a thread of its own."""

    def __init__(self, supervisor: int) -> None:
        self._root = psutil.Process(supervisor)
        self.memory: dict[str, list[tuple[float, float]]] = defaultdict(list)
        """By process: seconds, MB."""
        self._cpu: dict[str, float] = {}
        self.others: list[tuple[float, float]] = []
        """Seconds; processors that processes of neither the stack nor this one kept busy since the sample before."""
        self._before: tuple[float, float] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._began = time.monotonic()

    def start(self) -> None:
        """Begin."""
        self._sample()
        self._first = dict(self._cpu)
        self._began = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._over.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            self._sample()

    def _sample(self) -> None:
        sums, cpu = Counter[str](), Counter[str]()
        for process in [self._root, *self._root.children(recursive=True)]:
            try:
                name = _name(process)
                sums[name] += process.memory_full_info().pss
                times = process.cpu_times()
            except psutil.Error:  # it has just ended
                continue
            cpu[name] += times.user + times.system
        self._note_others(sum(cpu.values()))
        now = time.monotonic() - self._began
        for name, size in sums.items():
            self.memory[name].append((round(now, 1), size / 1e6))
        self._cpu = dict(cpu)

    def _note_others(self, stack: float) -> None:
        whole, own, clock = psutil.cpu_times(), psutil.Process().cpu_times(), time.monotonic()
        used = sum(whole) - whole.idle - whole.iowait - stack - own.user - own.system
        if self._before is not None:
            spent, then = self._before
            self.others.append((clock - self._began, max(0.0, used - spent) / (clock - then)))
        self._before = used, clock

    def rows(self) -> list[dict[str, object]]:
        """One row per process: its memory, how fast that grows, and its share of a processor."""
        lasted = time.monotonic() - self._began
        return [
            {
                "process": name,
                "first_mb": samples[0][1],
                "most_mb": max(size for _, size in samples),
                "last_mb": samples[-1][1],
                "growth_mb_per_h": _slope(samples) * 3600,
                "cpu_share": (self._cpu.get(name, 0.0) - self._first.get(name, 0.0)) / lasted,
            }
            for name, samples in sorted(self.memory.items())
        ]


def _name(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    for name, mark in (("api", "supervisor.serve"), ("housekeeping", "workers.housekeeping"), ("worker", "celery")):
        if mark in command:
            return name
    if "postgres" in process.name():
        return "postgres"
    return "broker" if "valkey" in process.name() else "supervisor"


def _slope(samples: Sequence[tuple[float, float]]) -> float:
    """MB per second over the second half, by least squares: at the beginning every process grows."""
    half = samples[len(samples) // 2 :]
    mean_t, mean_m = (sum(s[k] for s in half) / len(half) for k in (0, 1))
    spread = sum((t - mean_t) ** 2 for t, _ in half)
    return sum((t - mean_t) * (m - mean_m) for t, m in half) / spread if spread else 0.0


def profile(pid: int, seconds: int) -> list[dict[str, object]]:
    """Where a process spends its time, the ten functions that take most; empty if py-spy is not installed."""
    program = shutil.which("py-spy") or os.environ.get("FILMLOOP_PY_SPY")
    if program is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stacks"
        command = [program, "record", "--format", "raw", "--rate", "50", "--duration", str(seconds), "--pid", str(pid)]
        process = subprocess.Popen(
            [*command, "--output", file, "--nonblocking"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(seconds + 60)
        except subprocess.TimeoutExpired:  # on a busy machine it falls behind; what it has by then, it writes
            process.send_signal(signal.SIGINT)
            process.wait(60)
        if not file.exists():
            return []
        return _top(file.read_text().splitlines())


def _top(lines: Sequence[str]) -> list[dict[str, object]]:
    own, within, total = Counter[str](), Counter[str](), 0
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if not count.isdigit() or _rests(frames[-1]):
            continue
        total += int(count)
        own[frames[-1]] += int(count)
        for frame in set(frames):
            within[frame] += int(count)
    return [
        {"function": name, "own_share": count / total, "with_callees": within[name] / total}
        for name, count in own.most_common(10)
    ]


def _rests(frame: str) -> bool:
    """Threads that wait are no work; py-spy's own eye for them misses some."""
    return frame.startswith(("wait (", "_wait_for_tstate_lock", "run (asyncio/runners", "worker (concurrent/futures"))
