"""Everything is killed at once, and started again: `python -m benchmarks.restart --rounds 20 --write`.

`filmloop up` runs, instruments send, a robot holds a film, a worker decides. Then every process gets SIGKILL at a
random moment, the supervisor first, and `filmloop up` is started again. What is taken is the time from that start until
the API says that it is ready; what is looked at is whether the record is as it was.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.faults.patient import judge, sending
from benchmarks.faults.served import wait_for
from benchmarks.load.__main__ import made
from benchmarks.provenance import heading, markdown_table, provenance, write_study
from filmloop_client import Client, Reading
from service.simulation.wafer import PROPERTY, UNIT
from service.store.session import make_engine, make_sessions
from service.supervisor.run_file import read_run_file

BOUND_S = 10.0
INSTRUMENTS = 3
NOUNS = ("", "/proposals", "/films", "/dataset", "/dataset?revision=1", "/model-versions", "/lineage", "/instruments")


class Up:
    """A `filmloop up` that is started and killed again and again on one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it; seconds until it is ready."""
        began = time.monotonic()
        command = [sys.executable, "-m", "service.cli", "up", "--data-dir", str(self.data_dir)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self._ready, within_s=120, pause_s=0.02)
        return time.monotonic() - began

    @property
    def url(self) -> str:
        """Where its API is."""
        return str((read_run_file(self.data_dir) or {})["url"])

    @property
    def database(self) -> str:
        """Where its record is."""
        return str((read_run_file(self.data_dir) or {})["database"])

    @property
    def key(self) -> str:
        """The key that it keeps."""
        return (self.data_dir / "key").read_text().strip()

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "filmloop up ended"
        facts = read_run_file(self.data_dir)
        if facts is None or facts["pid"] != self._process.pid or "api" not in facts["pids"]:
            return False
        try:
            return httpx.get(f"{facts['url']}/readyz", timeout=1).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """SIGKILL to all of it, the supervisor first, so that nothing is started again meanwhile."""
        assert self._process is not None
        root = psutil.Process(self._process.pid)
        everyone = [root, *root.children(recursive=True)]
        for process in everyone:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait()
        psutil.wait_procs(everyone, timeout=20)

    def end(self) -> None:
        """As an operator does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)


@dataclass
class Round:
    """What was there before, to be compared afterwards."""

    quiet: str
    """A campaign that nobody touches."""
    busy: str
    film: str
    seen: dict[str, Any] = field(default_factory=dict)
    sent: int = 0


def look(up: Up, campaign: str) -> dict[str, Any]:
    """All that people see of a campaign."""
    with httpx.Client(base_url=up.url, headers={"Authorization": f"Bearer {up.key}"}, timeout=60) as client:
        answers = {noun: client.get(f"/v1/campaigns/{campaign}{noun}") for noun in NOUNS}
    assert all(answer.status_code == 200 for answer in answers.values()), {k: v.text for k, v in answers.items()}
    return {noun: answer.json() for noun, answer in answers.items()}


def furnish(up: Up) -> Round:
    """A campaign with readings, a model and a film in a robot's hands, paused; and one to send to."""
    with Client(up.url, key=up.key) as client:
        quiet, film = made(client, "quiet", queue_depth=2)
        rows = [(k, 5.0 + k) for k in range(13)]
        quiet.instrument("squid").measure([_reading(film, k, value) for k, value in rows])
        claim = None
        while claim is None:
            claim = quiet.robot("ada").claim(wait_s=20)
        wait_for(lambda: quiet.newest_model() is not None, within_s=120, pause_s=0.2)
        quiet.act("pause")
        busy, film = made(client, "busy")
        busy.act("pause")
    found = Round(quiet.id, busy.id, film)
    while found.seen != (seen := look(up, quiet.id)):  # a worker may still explain its last model
        found.seen = seen
        time.sleep(3.0)
    return found


def _reading(film: str, device: int, value: float) -> Reading:
    return Reading(film_id=film, device=device, property=PROPERTY, unit=UNIT, value=value)


def play(up: Up, before: Round, chance: random.Random) -> tuple[float, Counter[str], int]:
    """Kill everything under load and start it again; seconds until ready, what must not be, batches acknowledged."""
    before.sent += 10_000
    how = {"first": before.sent, "unit": UNIT, "headers": {"Authorization": f"Bearer {up.key}"}, "timeout_s": 5.0}
    with sending(up.url, before.busy, before.film, INSTRUMENTS, **how) as instruments:
        time.sleep(chance.uniform(0.5, 2.0))
        up.kill()
    seconds = up.start()
    engine = make_engine(up.database, pool_size=1)
    wrong = judge(make_sessions(engine), before.busy, instruments, allowed=(201, 503, 0))
    engine.dispose()
    now = look(up, before.quiet)
    wrong["another record than before"] = sum(now[noun] != before.seen[noun] for noun in NOUNS)
    wrong["later than 10 s"] = int(seconds > BOUND_S)
    return seconds, wrong, sum(len(one.acknowledged) for one in instruments)


def run(rounds: int, seed: int, folder: Path) -> tuple[list[dict[str, object]], Counter[str]]:
    """Round after round on one data directory."""
    chance, up, rows, wrong = random.Random(seed), Up(folder), list[dict[str, object]](), Counter[str]()  # noqa: S311
    first = up.start()
    try:
        before = furnish(up)
        for number in range(1, rounds + 1):
            seconds, found, taken = play(up, before, chance)
            kinds = ", ".join(f"{count} {kind}" for kind, count in found.items() if count) or "none"
            rows.append({"round": number, "ready_s": seconds, "batches": taken, "violations": kinds})
            print(rows[-1], flush=True)
            wrong.update(found)
    finally:
        up.end()
    rows.append({"round": "first start of all", "ready_s": first, "batches": 0, "violations": "none"})
    return rows, wrong


def main() -> int:
    """Play, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(heading("restart"))
    facts = provenance()
    with tempfile.TemporaryDirectory(prefix="filmloop-restart-") as folder:
        rows, wrong = run(args.rounds, args.seed, Path(folder) / "data")
    print(markdown_table(rows))
    if args.write:
        said = {"rounds": args.rounds, "seed": args.seed, "violations": wrong.total()}
        write_study("restart", {**facts, **said}, rows)
    return 0 if wrong.total() == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
