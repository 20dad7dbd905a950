"""`filmloop up` as an operator meets it: real processes, real signals, and what is left afterwards."""

import ipaddress
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from service.embedded import CannotStart, start_valkey
from service.settings import Settings
from service.store.schema import head
from service.supervisor import Stack

ROOT = Path(__file__).parents[2]
READY_S = 90
"""Only a bound against hanging for ever; a start takes seconds."""


def command(*arguments):
    return [sys.executable, "-m", "service.cli", *map(str, arguments)]


def environment(**settings):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FILMLOOP_")}
    return clean | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'client'}"} | settings


def filmloop(*arguments, **settings):
    """Run a command that ends by itself."""
    return subprocess.run(
        command(*arguments), env=environment(**settings), capture_output=True, text=True, timeout=READY_S, check=False
    )


class Up:
    """A running `filmloop up`."""

    def __init__(self, data_dir, *arguments, **settings):
        self.data_dir = data_dir
        self.output = data_dir.with_name(f"{data_dir.name}-{time.monotonic_ns()}.txt")
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                command("up", "--data-dir", data_dir, *arguments),
                env=environment(**settings),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def text(self):
        return self.output.read_text()

    def await_text(self, wanted):
        deadline = time.monotonic() + READY_S
        while wanted not in self.text():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.text()}"
            assert time.monotonic() < deadline, f"no {wanted!r} in:\n{self.text()}"
            time.sleep(0.05)

    def facts(self):
        return json.loads((self.data_dir / "run.json").read_text())

    def get(self, path):
        return httpx.get(self.facts()["url"] + path, timeout=30)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)  # as a terminal does: to the whole group
        return self.process.wait(timeout=READY_S)


@contextmanager
def up(data_dir, *arguments, **settings):
    """A `filmloop up` that is ready; stopped at the end if the test has not done so."""
    run = Up(data_dir, *arguments, **settings)
    try:
        run.await_text("Filmloop is running")
        yield run
    finally:
        run.stop()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """One directory for all tests here: each must leave it so that the next start works."""
    return tmp_path_factory.mktemp("up") / "data"


@pytest.fixture(scope="module")
def first(data_dir):
    """What a whole life looked like: an empty directory, a worker, a second `up`, a doctor, Ctrl-C."""
    with up(data_dir, "--workers", "1") as run:
        run.await_text("ready.")  # the worker's own word
        run.seen = run.facts()
        run.readiness = run.get("/readyz").json()
        run.second = filmloop("up", "--data-dir", data_dir)
        run.doctor = filmloop("doctor", "--data-dir", data_dir)
        run.migrate = filmloop("migrate", "--data-dir", data_dir)
        run.asked = filmloop(
            "database", "--data-dir", data_dir, "psql", "-Atc", "select version_num from alembic_version"
        )
        run.readiness_after = run.get("/readyz").json()
        run.modes = {name: (data_dir / name).stat().st_mode & 0o777 for name in ("", "run.json", "up.lock", "pg18")}
        run.arguments = {name: psutil.Process(pid).cmdline() for name, pid in run.seen["pids"].items()}
        run.niceness = {name: psutil.Process(pid).nice() for name, pid in run.seen["pids"].items()}
        run.status = run.stop(signal.SIGINT)
    return run


def test_it_serves_and_says_where(first):
    assert first.readiness == {"status": "ready", "database": "ok", "schema": "ok", "broker": "ok"}
    block = first.text().partition("Filmloop is running")[2]
    for fact in (first.seen["url"], str(first.data_dir), str(first.data_dir / "log" / "filmloop.log"), "Ctrl-C"):
        assert fact in block


def test_every_part_is_a_process_of_its_own_and_writes_into_one_log(first):
    assert set(first.seen["pids"]) == {"postgres", "valkey", "api", "worker-1", "housekeeping"}
    assert len(set(first.seen["pids"].values())) == 5
    for name in (*first.seen["pids"], "migrate", "filmloop"):
        assert re.search(rf"^{name} +\| ", first.text(), re.MULTILINE), name
    shown = [line for line in first.text().splitlines() if re.match(r"^[\w-]+ +\| ", line)]
    assert (first.data_dir / "log" / "filmloop.log").read_text().splitlines() == shown


def test_workers_give_way_to_the_api(first):
    assert first.niceness["worker-1"] > first.niceness["api"]


def test_secrets_are_in_no_argument_and_in_no_file_of_others(first):
    password = urlsplit(first.seen["broker"]).password
    assert password not in json.dumps(first.arguments)
    assert password not in first.text()
    assert first.modes == {"": 0o700, "run.json": 0o600, "up.lock": 0o600, "pg18": 0o700}


def test_the_tools_of_postgres_find_the_database_that_runs(first):
    assert (first.asked.returncode, first.asked.stderr) == (0, "")
    assert first.asked.stdout.strip() == head()


def test_a_second_up_on_the_same_directory_says_so_and_does_no_harm(first):
    assert first.second.returncode == 1
    said = f"Filmloop is already running at {first.seen['url']} (pid {first.seen['pid']}), data in {first.data_dir}"
    assert said in first.second.stderr
    assert "Traceback" not in first.second.stderr
    assert first.readiness_after["status"] == "ready"


def test_the_doctor_finds_everything_well(first):
    assert first.doctor.returncode == 0, first.doctor.stdout
    for part in ("database", "schema", "synchronous_commit", "broker", "workers"):
        assert re.search(rf"^ok +{part} ", first.doctor.stdout, re.MULTILINE)
    assert first.migrate.returncode == 0, first.migrate.stderr


def test_ctrl_c_ends_everything_in_order_with_status_0(first):
    assert first.status == 0
    assert not [pid for pid in first.seen["pids"].values() if psutil.pid_exists(pid)]
    assert not (first.data_dir / "run.json").exists()
    assert not (first.data_dir / "pg18" / "postmaster.pid").exists()
    said = first.text()
    assert said.index("Finished server process") < said.index("database system is shut down")
    assert "Traceback" not in said


def test_the_doctor_says_how_to_start_it(first):
    found = filmloop("doctor", "--data-dir", first.data_dir)
    assert found.returncode == 1
    assert "does not run" in found.stdout
    assert "filmloop up" in found.stdout


def test_a_killed_up_takes_its_children_along_and_blocks_nothing(first):
    with up(first.data_dir, "--workers", "1") as run:
        pids = run.facts()["pids"]
        run.stop(signal.SIGKILL)
    deadline = time.monotonic() + READY_S
    while alive := [name for name, pid in pids.items() if _lives(pid)]:
        assert time.monotonic() < deadline, f"still alive: {alive}"
        time.sleep(0.05)
    assert (first.data_dir / "run.json").exists()
    assert "does not run" in filmloop("doctor", "--data-dir", first.data_dir).stdout
    with up(first.data_dir, "--workers", "0") as run:
        assert run.get("/readyz").json()["status"] == "ready"


def _lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_sigterm_while_it_starts_stops_it_too(first):
    run = Up(first.data_dir)
    run.await_text("ready to accept connections")
    assert run.stop() == 0, run.text()
    assert "Filmloop is running" not in run.text()
    assert not (first.data_dir / "pg18" / "postmaster.pid").exists()


def test_a_stop_that_a_child_hears_first_is_no_failure(first):
    run = Up(first.data_dir)
    deadline = time.monotonic() + READY_S
    while not (migrating := [c for c in psutil.Process(run.process.pid).children() if "migrate" in " ".join(_line(c))]):
        assert time.monotonic() < deadline, run.text()
    migrating[0].terminate()
    migrating[0].wait(READY_S)
    time.sleep(0.1)
    run.process.terminate()
    assert run.process.wait(timeout=READY_S) == 0, run.text()


def _line(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_port_that_was_asked_for_is_not_replaced_and_any_other_is(first):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = filmloop("up", "--data-dir", first.data_dir, "--port", port)
        assert refused.returncode == 1
        assert port in refused.stderr
        assert "--port" in refused.stderr
    with up(first.data_dir, "--workers", "0", "--port", port, "--log-json") as run:
        assert run.facts()["url"] == f"http://127.0.0.1:{port}"
        lines = [json.loads(line) for line in run.text().splitlines() if line.startswith("{")]
        assert {"api", "migrate", "postgres"} <= {line["process"] for line in lines}
        assert run.get("/nothing").status_code == 404


EVERYWHERE = str(ipaddress.IPv4Address(0))


@pytest.mark.parametrize("host", [EVERYWHERE, "192.0.2.1", "::", "example.org", "localhost.example.org", ""])
def test_nobody_listens_beyond_this_machine_before_there_can_be_keys(tmp_path, host):
    with pytest.raises(CannotStart, match="refusing to listen"):
        Stack(Settings(data_dir=tmp_path / "data", database={"url": None}, api={"host": host}))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_this_machine_itself_needs_no_key_to_start(tmp_path, host):
    Stack(Settings(data_dir=tmp_path / "data", database={"url": None}, api={"host": host}))


def test_it_listens_beyond_this_machine_once_there_is_a_key(tmp_path, empty_database_url):
    with start_valkey(tmp_path / "broker") as broker:
        settings = {"FILMLOOP_DATABASE__URL": empty_database_url, "FILMLOOP_BROKER__URL": broker.url}
        arguments = ("--host", EVERYWHERE, "--workers", "0")
        refused = filmloop("up", "--data-dir", tmp_path / "data", *arguments, **settings)
        assert refused.returncode == 1
        assert f"refusing to listen on {EVERYWHERE}" in refused.stderr
        assert "filmloop key create" in refused.stderr
        made = filmloop("key", "create", "--name", "me", "--role", "admin", "--data-dir", tmp_path / "data", **settings)
        assert made.returncode == 0, made.stderr
        assert re.fullmatch(r"flp_[0-9a-z]{8}_[\w-]{43}\n", made.stdout)
        with up(tmp_path / "data", *arguments, **settings) as run:
            assert run.get("/v1/campaigns").status_code == 401
            assert run.facts()["url"].startswith("http://127.0.0.1:")  # what this machine's key is sent to
            said = {"Authorization": f"Bearer {made.stdout.strip()}"}
            assert httpx.get(f"{run.facts()['url']}/v1/campaigns", headers=said, timeout=30).status_code == 200
            assert "`filmloop key create` makes one" in run.text()


def test_the_first_key_is_shown_once_and_found_by_whoever_may_read_it(first):
    """On this machine everything works as it comes: commands and clients find the key."""
    key = (first.data_dir / "key").read_text().strip()
    assert first.text().count(key) == 1
    assert (first.data_dir / "key").stat().st_mode & 0o777 == 0o600
    assert key not in (first.data_dir / "log" / "filmloop.log").read_text()
    shown = filmloop("key", "show", "--data-dir", first.data_dir)
    assert (shown.returncode, shown.stdout) == (0, f"{key}\n")
    with up(first.data_dir, "--workers", "0") as run:
        assert key not in run.text()
        assert "`filmloop key show` prints it" in run.text()
        listed = json.loads(filmloop("key", "list", "--json", "--data-dir", first.data_dir).stdout)
        assert [(k["id"], k["state"]) for k in listed] == [(key.split("_")[1], "valid")]
        rotated = filmloop("key", "rotate", listed[0]["id"], "--overlap", "0s", "--data-dir", first.data_dir)
        assert rotated.returncode == 0, rotated.stderr
        new = rotated.stdout.strip()
        assert filmloop("key", "show", "--data-dir", first.data_dir).stdout == f"{new}\n"
        url = f"{run.facts()['url']}/v1/session"
        answers = [httpx.get(url, headers={"Authorization": f"Bearer {k}"}, timeout=30) for k in (key, new)]
        assert [a.status_code for a in answers] == [401, 200]
        revoked = filmloop("key", "revoke", new.split("_")[1], "--data-dir", first.data_dir)
        assert "is revoked" in revoked.stdout
        assert filmloop("key", "revoke", "00000000", "--data-dir", first.data_dir).returncode == 1


def test_given_servers_are_used_and_left_running(tmp_path, empty_database_url):
    with start_valkey(tmp_path / "broker") as broker:
        settings = {"FILMLOOP_DATABASE__URL": empty_database_url, "FILMLOOP_BROKER__URL": broker.url}
        with up(tmp_path / "data", "--workers", "0", **settings) as run:
            assert set(run.facts()["pids"]) == {"api", "housekeeping"}
            assert run.get("/readyz").json()["status"] == "ready"
        assert broker.process.poll() is None
    assert not (tmp_path / "data" / "pg18").exists()


def test_a_setting_that_does_not_fit_is_explained(tmp_path):
    refused = filmloop("up", "--data-dir", tmp_path, FILMLOOP_DATABASE__URL="sqlite:///x.db")
    assert refused.returncode == 1
    assert "database.url" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_help_lists_every_command_without_loading_any():
    code = (
        "import sys; from service.cli import main; main(['--help'], standalone_mode=False); print(*sorted(sys.modules))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    ).stdout
    for name in ("demo", "doctor", "export", "import", "key", "migrate", "simulate", "up"):
        assert re.search(rf"^  {name} ", shown, re.MULTILINE)
    loaded = set(shown.splitlines()[-1].split())
    assert not loaded & {"numpy", "sqlalchemy", "fastapi", "psycopg", "redis", "matplotlib", "torch", "celery"}
