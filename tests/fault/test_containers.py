"""The commands of the container file, started by hand in its order on this machine: no container runs here."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from benchmarks.faults.served import wait_for
from filmloop_client import Client
from service.embedded import PostgresServer, ValkeyServer

pytestmark = pytest.mark.fault

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
WITHIN_S = 90.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Containers:
    """What the runtime would do: the file's environment and commands, with addresses of this machine."""

    def __init__(self, folder: Path, postgres: str, broker: str) -> None:
        self.folder = folder
        secret, port = re.fullmatch(r"redis://:(.*)@127.0.0.1:(\d+)/0", broker).groups()
        (folder / "redis_password").write_text(f"{secret}\n")
        self._here = {
            "FILMLOOP_DATABASE__URL": postgres,
            "FILMLOOP_BROKER__URL": f"redis://127.0.0.1:{port}/0",
            "FILMLOOP_BROKER__PASSWORD_FILE": str(folder / "redis_password"),
            "FILMLOOP_DATA_DIR": str(folder / "artifacts"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "client")]),
            "OMP_NUM_THREADS": "1",
        }
        self.running: dict[str, subprocess.Popen] = {}

    def environment(self, service: str) -> dict[str, str]:
        said = {k: re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(v)) for k, v in SERVICES[service]["environment"].items()}
        del said["FILMLOOP_DATABASE__PASSWORD_FILE"]  # this server asks nobody on its socket for one
        return os.environ | said | self._here

    def once(self, service: str, command: str | None = None) -> str:
        given = shlex.split(command or SERVICES[service]["command"])
        done = subprocess.run(
            given, env=self.environment(service), capture_output=True, text=True, cwd=self.folder, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, service: str, **other: str) -> None:
        command = shlex.split(SERVICES[service]["command"])
        for option, value in other.items():
            command[command.index(f"--{option}") + 1] = value
        name = f"{service}{len(self.running)}"
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command, env=self.environment(service), cwd=self.folder, stdout=log, stderr=log
            )

    def healthy(self, service: str) -> bool:
        _, program, *arguments = SERVICES[service]["healthcheck"]["test"]
        done = subprocess.run([program, *arguments], env=self.environment(service), cwd=self.folder, check=False)
        return done.returncode == 0

    def end(self) -> dict[str, int]:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        return {name: process.wait(40) for name, process in self.running.items()}


@pytest.fixture
def containers(tmp_path):
    with PostgresServer(tmp_path / "data", durable=False) as postgres, ValkeyServer(tmp_path / "data") as valkey:
        postgres.start()
        valkey.start()
        found = Containers(tmp_path, postgres.url, valkey.url)
        try:
            yield found
        finally:
            for process in found.running.values():
                process.kill()
                process.wait()


def test_the_commands_of_the_file_in_its_order_make_a_filmloop(containers):
    containers.once("migrate")
    made = containers.once("migrate", "filmloop key create --name admin --role admin --role researcher --role robot")
    key = re.search(r"flp_\S+", made)[0]
    ports = [free_port(), free_port()]
    for port in ports:
        containers.start("api", host="127.0.0.1", port=str(port))
    containers.start("worker-decide")
    containers.start("housekeeping")
    for port in ports:
        wait_for(lambda port=port: ready(port), within_s=WITHIN_S, pause_s=0.1)
    assert containers.healthy("worker-decide")
    with Client(f"http://127.0.0.1:{ports[0]}", key=key) as client:
        problem = {
            "space": {"elements": ["Fe", "Ga", "Pd"]},
            "objectives": [{"property": "magnetisation", "unit": "emu/cm3"}],
            "film": {"devices": 5},
        }
        campaign = client.campaigns.create("containers", problem)
        campaign.activate()
    with Client(f"http://127.0.0.1:{ports[1]}", key=key) as client:  # the other replica knows it
        claim = client.campaigns.get(campaign.id).robot("ada").claim(wait_s=25)
        assert claim is not None
    lines = [json.loads(line) for line in (containers.folder / "api0.log").read_text().splitlines() if line[:1] == "{"]
    asked = [line for line in lines if line.get("event") == "request" and "job_id" in line]
    worked = (containers.folder / "worker-decide2.log").read_text()
    assert asked
    assert all(line["request_id"] for line in asked)
    assert any(line["job_id"] in worked for line in asked)  # from a request to what was done for it
    assert set(containers.end().values()) <= {0, -signal.SIGTERM}


def ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
