"""Rows 8 and 9: the broker is killed, emptied, or was never there; and bells that ring a thousand times.

The workers are real ones: Celery processes on a broker of the row's own.
"""

import os
import random
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis
from sqlalchemy import func, select, text

from benchmarks.faults.found import Found
from benchmarks.faults.killed_workers import due, measured, more_data
from benchmarks.faults.loop import Loop, record
from benchmarks.faults.patient import Patient
from benchmarks.faults.served import Served, served, wait_for
from service.embedded import ValkeyServer
from service.store.bell import DECIDE_QUEUE, DECIDE_TASK, connect, publish
from service.store.session import Sessions
from service.store.tables import CampaignRow, FilmRow, JobRow
from service.supervisor import programs

SWEEP_S = 0.5
IN_VAIN_S = 15.0
"""After so long a decision counts as one that does not come; most take two seconds."""
READY_S = 90.0


class Crew:
    """Workers and housekeeping, as processes."""

    def __init__(self, settings: dict[str, str], folder: Path) -> None:
        self._env = os.environ | settings | {"OMP_NUM_THREADS": "1", "FILMLOOP_WORKER__SWEEP_S": str(SWEEP_S)}
        self._folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def worker(self, name: str, naive: str | None = None) -> None:
        """Start a worker."""
        command = programs.worker_command(name)
        if naive is not None:
            command[command.index("workers.app:app")] = "benchmarks.faults.naive_workers:app"
        self._start(name, command, {} if naive is None else {"FILMLOOP_FAULT_WORKER": naive})

    def housekeeping(self) -> None:
        """Start the sweep."""
        self._start("housekeeping", programs.housekeeping_command(), {})

    def _start(self, name: str, command: list[str], more: dict[str, str]) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env=self._env | more, cwd=Path(__file__).parents[2], stdout=log, stderr=subprocess.STDOUT
            )

    def ready(self, name: str) -> bool:
        """Whether a worker says so in its log."""
        assert self.processes[name].poll() is None, self.said(name)
        return "ready" in self.said(name)

    def said(self, name: str) -> str:
        """What one of them wrote."""
        return (self._folder / f"{name}.log").read_text()

    def send(self, name: str, number: signal.Signals) -> None:
        """A signal to one of them."""
        self.processes[name].send_signal(number)

    def close(self) -> None:
        """End all."""
        for process in self.processes.values():
            process.kill()
            process.wait()


@contextmanager
def crew(settings: dict[str, str], folder: Path) -> Iterator[Crew]:
    """Processes for the length of a `with` block."""
    folder.mkdir(parents=True, exist_ok=True)
    found = Crew(settings, folder)
    try:
        yield found
    finally:
        found.close()


def addresses(database_url: str, broker_url: str, folder: Path) -> dict[str, str]:
    """Settings of all processes."""
    return {
        "FILMLOOP_DATABASE__URL": database_url,
        "FILMLOOP_BROKER__URL": broker_url,
        "FILMLOOP_DATA_DIR": str(folder),
        "FILMLOOP_LOG__LEVEL": "INFO",
    }


def _nobody() -> str:
    """An address at which no broker listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"redis://127.0.0.1:{probe.getsockname()[1]}/0"


class _Lab:
    """One instrument of a campaign whose decisions the workers make."""

    def __init__(self, api: Served, sessions: Sessions, loop: Loop) -> None:
        self.api, self._sessions = api, sessions
        self.campaign_id = loop.campaign(queue_depth=2)
        self.wrong: Counter[str] = Counter()
        self.waits: list[float] = []
        self._number = 0

    def begin(self, loop: Loop) -> None:
        """A first film, made of the first decision."""
        wait_for(self._decided, within_s=READY_S)
        self.film_id = loop.film(self.campaign_id)

    def measure(self) -> None:
        """A batch; whatever became of the broker, it must be taken at once."""
        self._number += 1
        instrument = Patient(self.api.url, self.campaign_id, self.film_id, iter([self._number]), timeout_s=10.0)
        self.wrong["readings not taken"] += not instrument.send_one()
        self.wrong["readings refused"] += len(instrument.attempts) - 1

    def stop_at_work(self, hands: Crew) -> None:
        """SIGSTOP the worker in the middle of a decision."""
        while True:
            self.measure()
            while not self._at_work() and not self._decided():
                time.sleep(0.005)
            hands.send("worker-1", signal.SIGSTOP)
            time.sleep(0.02)
            if self._at_work():
                return
            hands.send("worker-1", signal.SIGCONT)

    def _at_work(self) -> bool:
        with self._sessions() as session:
            return bool(session.scalars(select(JobRow.id).where(JobRow.state == "leased")).all())

    def await_decision(self) -> None:
        """The decision on what was measured."""
        began = time.monotonic()
        while not self._decided() and time.monotonic() < began + IN_VAIN_S:
            time.sleep(0.05)
        self.waits.append(time.monotonic() - began)
        self.wrong["no decision"] += not self._decided()

    def _decided(self) -> bool:
        with self._sessions() as session:
            row = session.execute(
                select(CampaignRow.decided_revision, CampaignRow.revision).where(CampaignRow.id == self.campaign_id)
            ).one()
        return bool(row.decided_revision == row.revision)


def broker(database_url: str, folder: Path, *, kills: int, flushes: int, sweeps: bool = True) -> Found:
    """Kill the broker, or empty it, whenever something was measured; the decision must come nevertheless.

    Args:
        database_url: A database with the schema.
        folder: For everything else.
        kills: How often it is killed, and started again a moment later.
        flushes: How often it is emptied while the message waits in it.
        sweeps: Whether there is a housekeeping.
    """
    with ExitStack() as stack:
        sessions = stack.enter_context(record(database_url))
        valkey = ValkeyServer(folder)
        stack.callback(valkey.stop)
        valkey.start()
        told = addresses(database_url, valkey.url, folder)
        api = stack.enter_context(served(database_url, folder, more=told))
        hands = stack.enter_context(crew(told, folder / "crew"))
        hands.worker("worker-1")
        hands.housekeeping()
        lab, loop = _Lab(api, sessions, Loop(sessions)), Loop(sessions)
        lab.begin(loop)
        if not sweeps:
            hands.processes.pop("housekeeping").kill()
        faults = ["kill"] * kills + ["flush"] * flushes
        random.Random(1).shuffle(faults)  # noqa: S311 - not a secret
        for fault in faults:
            _hit(fault, lab, valkey, hands)
        wrong = dict(lab.wrong)
    longest = max(lab.waits)
    return Found(kills + flushes, wrong, f"{kills} kills, {flushes} times emptied, longest wait {longest:.1f} s")


def _hit(fault: str, lab: _Lab, valkey: ValkeyServer, hands: Crew) -> None:
    if fault == "kill":
        os.kill(valkey.pid, signal.SIGKILL)
        lab.measure()
        time.sleep(0.3)
        valkey.start()
    else:
        lab.stop_at_work(hands)  # a worker that rests takes the message in the moment it comes
        lab.measure()
        time.sleep(0.3)
        with redis.Redis.from_url(valkey.url) as client:
            client.flushall()
        hands.send("worker-1", signal.SIGCONT)
    lab.await_decision()


def never(database_url: str, folder: Path, *, decisions: int) -> Found:
    """There is no broker at all, from the start of every process on."""
    told = addresses(database_url, _nobody(), folder)
    with record(database_url) as sessions, served(database_url, folder, more=told) as api, crew(told, folder) as hands:
        hands.worker("worker-1")
        hands.housekeeping()
        lab, loop = _Lab(api, sessions, Loop(sessions)), Loop(sessions)
        lab.begin(loop)
        for _ in range(decisions):
            lab.measure()
            lab.await_decision()
    return Found(decisions, dict(lab.wrong), f"{decisions} decisions without a broker, longest {max(lab.waits):.1f} s")


def repeated(database_url: str, folder: Path, *, rounds: int, bells: int, seed: int, naive: str | None = None) -> Found:
    """Ring a thousand times for each wanted revision, with two workers that hear it.

    Args:
        database_url: A database with the schema.
        folder: For everything else.
        rounds: How many revisions are wanted.
        bells: How often each is rung for.
        seed: Of the readings.
        naive: A variant of the workers.
    """
    chance = random.Random(seed)  # noqa: S311 - not a secret
    with ExitStack() as stack:
        sessions = stack.enter_context(record(database_url))
        valkey = ValkeyServer(folder)
        stack.callback(valkey.stop)
        valkey.start()
        hands = stack.enter_context(crew(addresses(database_url, valkey.url, folder), folder / "crew"))
        for name in ("worker-1", "worker-2"):
            hands.worker(name, naive)
        loop = Loop(sessions)
        campaign_id = measured(loop, chance)
        with sessions() as session:
            film_id = session.scalars(select(FilmRow.id).where(FilmRow.campaign_id == campaign_id)).one()
        wait_for(lambda: hands.ready("worker-1") and hands.ready("worker-2"), within_s=READY_S)
        for number in range(rounds):
            if number:
                more_data(loop, campaign_id, film_id, chance)
            with sessions() as session:
                job_id = due(session, campaign_id)
            assert job_id is not None
            _ring(valkey.url, job_id, bells)
            wait_for(lambda: _silent(valkey.url) and _idle(sessions), within_s=READY_S + bells)
        wrong = _trained(sessions, campaign_id)
    return Found(rounds * bells, wrong, f"{rounds} wanted revisions, each rung for {bells} times, 2 workers")


def _ring(broker_url: str, job_id: str, times: int) -> None:
    with connect(broker_url) as connection:
        for _ in range(times):
            publish(connection, DECIDE_QUEUE, DECIDE_TASK, job_id)


def _silent(broker_url: str) -> bool:
    with redis.Redis.from_url(broker_url) as client:
        return bool(client.llen(DECIDE_QUEUE) == 0)


def _idle(sessions: Sessions) -> bool:
    with sessions() as session:
        query = select(func.count()).select_from(JobRow).where(JobRow.state.in_(("pending", "leased")))
        return session.execute(query).scalar_one() == 0


def _trained(sessions: Sessions, campaign_id: str) -> dict[str, int]:
    """The fence counts how often a job was taken, and so how often it was trained for."""
    again = text("select coalesce(sum(greatest(fence - 1, 0)), 0) from job where campaign_id = :c")
    models = text(
        "select coalesce(sum(n - 1), 0) from"
        " (select count(*) n from model_version where campaign_id = :c group by revision) found"
    )
    with sessions() as session:
        return {
            "trained again": int(session.execute(again, {"c": campaign_id}).scalar_one()),
            "a second model of a revision": int(session.execute(models, {"c": campaign_id}).scalar_one()),
        }
