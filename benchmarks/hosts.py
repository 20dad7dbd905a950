"""Several machines on one: `python -m benchmarks.hosts --campaigns 6 --films 6 --write`, as root.

Each of these is a network namespace with an address of its own on a bridge: one host with Postgres and the broker, two
with an API each, three with a worker each, one with the housekeeping, and the lab. Nothing reaches another host but by
its address. Campaigns of the demo run at the same time, half of them through each API. Then the cable of a host with a
worker is pulled in the middle of its work.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.faults.served import wait_for
from benchmarks.provenance import heading, markdown_table, provenance, write_study
from service.store.session import Sessions, make_engine, make_sessions
from service.supervisor import programs

NET = "10.77.31"
ROOT = Path(__file__).parents[1]
HOSTS = ("record", "api1", "api2", "work1", "work2", "work3", "keeper", "lab")
API_PORT = 8000
PULLED_S = 45.0
"""Longer than the lease of a job, and than the wait for a server that vanished."""


def ip(*arguments: str) -> None:
    """The tool of that name."""
    subprocess.run(["ip", *arguments], check=True)  # noqa: S607


class Network:
    """The hosts, a bridge between them, and this process at its own address on the bridge."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.bridge = f"fl{tag}br"
        self.addresses = {name: f"{NET}.{number}" for number, name in enumerate(HOSTS, start=2)}

    def make(self) -> None:
        """Plug everything in."""
        ip("link", "add", self.bridge, "type", "bridge")
        ip("addr", "add", f"{NET}.1/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        for name, address in self.addresses.items():
            space, outside = self.space(name), self.cable(name)
            ip("netns", "add", space)
            ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("link", "set", outside, "master", self.bridge, "up")
            ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "eth0", "up")
            ip("-n", space, "link", "set", "lo", "up")

    def remove(self) -> None:
        """Take everything away again, as far as it is there."""
        for name in HOSTS:
            subprocess.run(["ip", "netns", "del", self.space(name)], check=False, capture_output=True)  # noqa: S607
        subprocess.run(["ip", "link", "del", self.bridge], check=False, capture_output=True)  # noqa: S607

    def space(self, name: str) -> str:
        """The name of a host's namespace."""
        return f"fl{self.tag}-{name}"

    def cable(self, name: str) -> str:
        """The end of its cable at the bridge."""
        return f"fl{self.tag}{name}"

    def on(self, name: str, command: Sequence[str]) -> list[str]:
        """A command as it is run on a host."""
        return ["ip", "netns", "exec", self.space(name), *command]


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """Hosts for the length of a `with` block."""
    found = Network(str(os.getpid() % 1000))
    try:
        found.make()
        yield found
    finally:
        found.remove()


class Machines:
    """The programs on the hosts."""

    def __init__(self, net: Network, folder: Path) -> None:
        self._net, self._folder = net, folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, host: str, command: Sequence[str], settings: Mapping[str, str]) -> None:
        """Run a program on a host."""
        with (self._folder / f"{host}.log").open("ab") as log:
            self._running[host] = subprocess.Popen(
                self._net.on(host, command), env=os.environ | settings, cwd=ROOT, stdout=log, stderr=log
            )

    def said(self, host: str) -> str:
        """What it wrote."""
        return (self._folder / f"{host}.log").read_text()

    def says(self, host: str, word: str, within_s: float = 120.0) -> None:
        """Wait for a word of it."""

        def heard() -> bool:
            assert self._running[host].poll() is None, self.said(host)[-3000:]
            return word in self.said(host)

        wait_for(heard, within_s=within_s, pause_s=0.1)

    def end(self) -> None:
        """End all, the record last."""
        for host in sorted(self._running, key=lambda name: name == "record"):
            self._running[host].terminate()
            self._running[host].wait(40)


def record_host(address: str, folder: Path) -> None:
    """What the host of the record does: Postgres and the broker on its address; ends with its input."""
    import signal  # noqa: PLC0415 - only this process

    from service.embedded import PostgresServer, ValkeyServer  # noqa: PLC0415

    class Postgres(PostgresServer):
        def _spawn(self, command: list[str], output: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401 - as the real one
            if command[0] == "postgres":
                rules = folder / "pg_hba.conf"
                rules.write_text(f"local all all trust\nhost all filmloop {NET}.0/24 trust\n")
                command += ["-c", f"listen_addresses={address}", "-c", f"hba_file={rules}"]
            return super()._spawn(command, output)

    class Valkey(ValkeyServer):
        def _configuration(self) -> str:
            return super()._configuration().replace("bind 127.0.0.1", f"bind 127.0.0.1 {address}")

    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    with Postgres(folder) as postgres, Valkey(folder) as valkey:
        postgres.start()
        valkey.start()
        broker = valkey.url.replace("@127.0.0.1:", f"@{address}:")
        facts = {"database": f"postgresql+psycopg://filmloop@{address}:5432/filmloop", "broker": broker}
        print(f"serving {json.dumps(facts)}", flush=True)
        over.wait()


def lab_host(urls: Sequence[str], campaigns: int, films: int) -> None:
    """What the lab does: campaigns of the demo at the same time, half of them through each API."""
    from service.simulation.demo import explore  # noqa: PLC0415 - only this process
    from service.simulation.lab import Lab  # noqa: PLC0415
    from service.simulation.wafer import Wafer  # noqa: PLC0415

    outcomes: list[dict[str, object]] = []
    wafer = Wafer.load()

    def one(number: int) -> None:
        lab = Lab(wafer, seed=number, deposition_s=0.0)
        found = explore(
            urls[number % len(urls)],
            lab,
            films=films,
            devices=13,
            policy="expected_improvement",
            say=lambda _line: None,
        )
        outcomes.append(found.figures() | {"through": urls[number % len(urls)]})

    threads = [threading.Thread(target=one, args=(number,)) for number in range(campaigns)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"found {json.dumps(outcomes)}", flush=True)


class Sampler:
    """Looks at the jobs all the time: which workers are at work at once, and on which campaigns."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.at_once: Counter[int] = Counter()
        self.two_of_one_campaign = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        query = text(
            "select count(*), count(distinct worker), count(distinct campaign_id) from job where state = 'leased'"
        )
        while not self._over.wait(0.03):
            with self._sessions() as session:
                jobs, workers, campaigns = session.execute(query).one()
            self.at_once[workers] += 1
            self.two_of_one_campaign += jobs - campaigns


def judge(sessions: Sessions, sampler: Sampler, outcomes: Sequence[Mapping[str, Any]], films: int) -> dict[str, int]:
    """Nothing is decided twice, nothing is lost, and campaigns go on side by side."""
    twice = text(
        "select coalesce(sum(n - 1), 0) from (select count(*) n from event where type = 'decision.published'"
        " group by data->>'job_id') found"
    )
    models = text(
        "select coalesce(sum(n - 1), 0) from"
        " (select count(*) n from model_version group by campaign_id, revision, snapshot_hash, kind) found"
    )
    with sessions() as session:
        return {
            "decisions published twice": int(session.execute(twice).scalar_one()),
            "models of one revision twice": int(session.execute(models).scalar_one()),
            "two workers on one campaign": sampler.two_of_one_campaign,
            "campaigns that did not end": sum(outcome["films"] != films for outcome in outcomes),
            "jobs dead": int(session.execute(text("select count(*) from job where state = 'dead'")).scalar_one()),
        }


def run(campaigns: int, films: int, folder: Path, *, pull: bool) -> tuple[list[dict[str, object]], dict[str, object]]:
    """Everything once; rows by worker, and figures."""
    with network() as net:
        machines = Machines(net, folder)
        try:
            return _run(net, machines, campaigns, films, folder, pull)
        finally:
            machines.end()


def _run(  # noqa: PLR0917 - called once, above
    net: Network, machines: Machines, campaigns: int, films: int, folder: Path, pull: bool
) -> tuple[list[dict[str, object]], dict[str, object]]:
    here, me = net.addresses, [sys.executable, "-m", "benchmarks.hosts"]
    machines.start("record", [*me, "--record", here["record"], str(folder / "record")], {})
    machines.says("record", "serving")
    facts = json.loads(re.findall(r"serving (.*)", machines.said("record"))[0])
    settings = _settings(facts, folder)
    migrate = net.on("keeper", [sys.executable, "-m", "service.cli", "migrate"])
    subprocess.run(migrate, env=os.environ | settings, cwd=ROOT, check=True)
    settings |= _admitted(facts["database"])
    for host in ("api1", "api2"):
        listen = ["--host", here[host], "--port", str(API_PORT), "--no-access-log"]
        machines.start(
            host, [sys.executable, "-m", "uvicorn", "--factory", "service.app:create_app", *listen], settings
        )
        machines.says(host, "startup complete")
    for host in ("work1", "work2", "work3"):
        machines.start(host, programs.worker_command(host), settings)
    machines.start("keeper", programs.housekeeping_command(), settings)
    for host in ("work1", "work2", "work3"):
        machines.says(host, "ready")
    engine = make_engine(facts["database"], pool_size=2)
    sessions, began = make_sessions(engine), time.monotonic()
    urls = [f"http://{here[host]}:{API_PORT}" for host in ("api1", "api2")]
    with Sampler(sessions) as sampler:
        machines.start("lab", [*me, "--lab", *urls, "--campaigns", str(campaigns), "--films", str(films)], settings)
        pulled = _pull(net, sessions) if pull else 0
        machines.says("lab", "found", within_s=1200)
    lasted = time.monotonic() - began
    outcomes = json.loads(re.findall(r"found (.*)", machines.said("lab"))[0])
    wrong = judge(sessions, sampler, outcomes, films)
    rows = _by_worker(sessions)
    engine.dispose()
    busy = sum(count for workers, count in sampler.at_once.items() if workers)
    side_by_side = sum(count for workers, count in sampler.at_once.items() if workers > 1)
    figures: dict[str, object] = {
        "campaigns": campaigns,
        "films_each": films,
        "seconds": round(lasted, 1),
        "most_workers_at_once": max(sampler.at_once),
        "share_of_the_busy_time_with_two_or_more": round(side_by_side / max(1, busy), 3),
        "cables_pulled": pulled,
        **{f"violations: {kind}": count for kind, count in wrong.items()},
    }
    return rows, figures


def _settings(facts: Mapping[str, str], folder: Path) -> dict[str, str]:
    return {
        "FILMLOOP_DATABASE__URL": facts["database"],
        "FILMLOOP_BROKER__URL": facts["broker"],
        "FILMLOOP_DATA_DIR": str(folder / "artifacts"),
        "FILMLOOP_LOG__LEVEL": "INFO",
        "OMP_NUM_THREADS": "1",
    }


def _admitted(database: str) -> dict[str, str]:
    """A key for the lab."""
    from benchmarks.keys import KEY, admit  # noqa: PLC0415 - writes into a database that has its schema by now

    admit(database)
    return {"FILMLOOP_KEY": KEY}


def _pull(net: Network, sessions: Sessions) -> int:
    """Pull the cable of a worker's host in the middle of a decision, and plug it in again later."""
    holds = text("select worker from job where state = 'leased' and worker like 'work3@%'")

    def works() -> bool:
        with sessions() as session:
            return session.execute(holds).first() is not None

    wait_for(works, within_s=300, pause_s=0.005)
    ip("link", "set", net.cable("work3"), "down")
    time.sleep(PULLED_S)
    ip("link", "set", net.cable("work3"), "up")
    return 1


def _by_worker(sessions: Sessions) -> list[dict[str, object]]:
    query = text(
        "select split_part(worker, '@', 1) worker, count(*) filter (where state = 'succeeded') decisions,"
        " count(distinct campaign_id) campaigns, coalesce(sum(fence - 1), 0) further_attempts"
        " from job where worker is not null group by 1 order by 1"
    )
    with sessions() as session:
        return [dict(row._mapping) for row in session.execute(query)]


def main() -> int:
    """Play, print, keep; or be one of the hosts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--campaigns", type=int, default=6)
    parser.add_argument("--films", type=int, default=6)
    parser.add_argument("--no-pull", action="store_true", help="leave all cables where they are")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--record", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--lab", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if args.record:
        record_host(args.record[0], Path(args.record[1]))
        return 0
    if args.lab:
        lab_host(args.lab, args.campaigns, args.films)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # everything is unplugged again
    print(heading("hosts"), flush=True)
    facts = provenance()
    with tempfile.TemporaryDirectory(prefix="filmloop-hosts-") as folder:
        rows, figures = run(args.campaigns, args.films, Path(folder), pull=not args.no_pull)
    print(json.dumps(figures, indent=1))
    print(markdown_table(rows))
    if args.write:
        write_study("hosts", {**facts, **figures}, rows)
    return 0 if not any(count for kind, count in figures.items() if kind.startswith("violations")) else 1


if __name__ == "__main__":
    sys.exit(main())
