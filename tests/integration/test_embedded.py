"""The embedded servers come up whatever happened before, keep what they hold, and touch only what is theirs."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg
import pytest
import redis

from service.embedded import AlreadyRunning, CannotStart, PostgresServer, nobody, start_postgres, start_valkey
from service.embedded.process import find_running

ROOT = Path(__file__).parents[2]
NOBODY = pwd.getpwnam("nobody")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A data directory with a cluster in it, made once; tests work on copies."""
    directory = tmp_path_factory.mktemp("made")
    with start_postgres(directory, durable=False) as server, server.connect() as connection:
        connection.execute("create table kept (value int)")
        connection.execute("insert into kept values (1)")
    return directory


@pytest.fixture
def data_dir(cluster, tmp_path):
    shutil.copytree(cluster / "pg18", tmp_path / "data" / "pg18")
    return tmp_path / "data"


def kept(server):
    with server.connect() as connection:
        return [value for (value,) in connection.execute("select value from kept order by value")]


def answers(server):
    with server.connect() as connection:
        return connection.execute("select 1").fetchone() == (1,)


def alive(process):
    """Zombies are dead, whoever has not yet waited for them."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def socket_dir(server):
    return Path(parse_qs(urlsplit(server.url).query)["host"][0])


def run_python(code, *arguments, **options):
    """Start a Python process that prints `ready` when it is; returns it."""
    process = subprocess.Popen(
        [options.pop("python", sys.executable), "-c", textwrap.dedent(code), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )
    return process


STARTS_AND_WAITS = """
    import signal, sys, time
    from pathlib import Path
    from service.embedded import postgres
    if "orphan" in sys.argv:  # as where the kernel does not tie a child to its parent
        spawn = postgres.spawn
        postgres.spawn = lambda *parts, **options: spawn(*parts, **options | {"death_signal": signal.SIGCONT})
    server = postgres.start_postgres(Path(sys.argv[1]), durable=False)
    with server.connect() as connection:
        connection.execute("insert into kept values (2)")
    print(server.pid, flush=True)
    time.sleep(60)
"""


def test_the_cluster_is_what_the_record_needs(data_dir):
    with start_postgres(data_dir, durable=False) as server, server.connect() as connection:

        def show(name):
            return connection.execute(f"show {name}").fetchone()[0]

        assert show("server_version").startswith("18.")
        assert show("listen_addresses") == ""
        assert show("data_checksums") == "on"
        assert show("server_encoding") == "UTF8"
        assert show("lc_messages") == "C"
        assert show("synchronous_commit") == "on"
        assert show("TimeZone") == "UTC"
        assert not [c for c in psutil.Process(server.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert socket_dir(server).stat().st_mode & 0o777 == 0o700
        assert server.cluster == data_dir / "pg18"


def test_durability_is_the_default(data_dir):
    with start_postgres(data_dir) as server, server.connect() as connection:
        assert connection.execute("show fsync").fetchone() == ("on",)
        assert connection.execute("show full_page_writes").fetchone() == ("on",)


def test_the_address_works_for_any_client(data_dir):
    with start_postgres(data_dir, durable=False) as server:
        address = server.url.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(address) as connection:
            assert connection.execute("select current_database(), current_user").fetchone() == ("filmloop", "filmloop")


def test_a_killed_server_starts_again_at_the_same_address_with_its_data(data_dir):
    with start_postgres(data_dir, durable=False) as server:
        address = server.url
        os.kill(server.pid, signal.SIGKILL)  # nobody waits for it: it stays a zombie with a pid file that names it
        server.start()
        assert server.url == address
        assert kept(server) == [1]


def test_orphaned_backends_are_waited_for(data_dir):
    with start_postgres(data_dir, durable=False) as server:
        connection = server.connect()
        # Busy in a loop, a backend does not notice that its parent has died.
        connection.pgconn.send_query(b"select count(*) from generate_series(1, 8000000)")
        time.sleep(0.2)
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait()
        orphans = find_running("postgres", server.cluster)
        assert orphans
        server.start()
        assert not any(alive(orphan) for orphan in orphans)
        assert kept(server) == [1]
        connection.close()


def test_when_its_parent_is_killed_the_server_stops_and_the_next_one_starts(data_dir):
    parent = run_python(STARTS_AND_WAITS, data_dir)
    parent.stdout.readline()
    parent.kill()
    parent.wait()
    with start_postgres(data_dir, durable=False) as server:
        assert kept(server) == [1, 2]
    parent.stdout.close()


def test_a_server_that_outlived_its_parent_is_stopped_first(data_dir):
    parent = run_python(STARTS_AND_WAITS, data_dir, "orphan")
    orphan = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    time.sleep(0.3)
    assert alive(orphan)
    with start_postgres(data_dir, durable=False) as server:
        assert not alive(orphan)
        assert kept(server) == [1, 2]


def test_a_pid_file_that_names_an_innocent_process_blocks_nothing(data_dir):
    with start_postgres(data_dir, durable=False) as server:
        notes = (server.cluster / "postmaster.pid").read_text().splitlines()
        lock = socket_dir(server) / ".s.PGSQL.5432.lock"
        lock_notes = lock.read_text().splitlines()
    innocent = str(os.getppid())
    (data_dir / "pg18" / "postmaster.pid").write_text("\n".join([innocent, *notes[1:]]) + "\n")
    lock.write_text("\n".join([innocent, *lock_notes[1:]]) + "\n")
    with start_postgres(data_dir, durable=False) as server:
        assert kept(server) == [1]


def test_a_second_launcher_is_refused_and_harms_nothing(data_dir):
    with start_postgres(data_dir, durable=False) as server:
        with pytest.raises(AlreadyRunning, match=str(data_dir)):
            start_postgres(data_dir, durable=False)
        assert kept(server) == [1]


class GaveUp(Exception):
    """Raised out of the wait for initdb."""


def test_an_interrupted_initdb_does_not_block_the_next_start(tmp_path):
    def give_up_in_the_middle(seconds):
        time.sleep(seconds)
        if list(tmp_path.glob("pg18.new-*")):  # it has begun, however long that took
            raise GaveUp

    with pytest.raises(GaveUp):
        PostgresServer(tmp_path, durable=False, pause=give_up_in_the_middle).start()
    assert not (tmp_path / "pg18").exists()
    assert list(tmp_path.glob("pg18.new-*"))
    with start_postgres(tmp_path, durable=False) as server:
        assert answers(server)
    assert not list(tmp_path.glob("pg18.new-*"))


@pytest.mark.parametrize("name", ["x" * 120, 'it\'s, "odd" – Größe'])
def test_a_path_that_no_socket_can_have_is_fine(data_dir, name):
    data_dir = data_dir.rename(data_dir.with_name(name))
    with start_postgres(data_dir, durable=False) as server:
        place = socket_dir(server)
        assert len(str(place)) < 40
        assert kept(server) == [1]
        os.kill(server.pid, signal.SIGKILL)
        server.start()
        assert kept(server) == [1]
    assert not place.exists()


def test_what_went_wrong_is_said_with_postgres_own_words(data_dir):
    (data_dir / "pg18" / "postgresql.auto.conf").write_text("no_such_setting = on\n")
    with pytest.raises(CannotStart, match="no_such_setting"):
        start_postgres(data_dir, durable=False)


def test_no_user_and_no_permission_of_a_parent_is_changed(data_dir):
    users = Path("/etc/passwd").read_bytes()
    closed = data_dir.parent
    closed.chmod(0o700)
    parents = {place: (place.stat().st_mode, place.stat().st_uid) for place in data_dir.parents}
    with start_postgres(data_dir, durable=False):
        assert {place: (place.stat().st_mode, place.stat().st_uid) for place in data_dir.parents} == parents
    assert Path("/etc/passwd").read_bytes() == users


@as_root
def test_somebody_elses_cluster_is_refused_by_name(data_dir):
    os.chown(data_dir / "pg18", NOBODY.pw_uid, NOBODY.pw_gid)
    with pytest.raises(CannotStart, match="belongs to user nobody"):
        start_postgres(data_dir, durable=False)


@as_root
def test_where_namespaces_are_forbidden_root_lets_nobody_run_it(monkeypatch):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        Path(place).chmod(0o755)
        monkeypatch.setattr(nobody, "NOBODY_ROOT", Path(place) / "lib")
        data_dir = Path(place) / "closed"
        data_dir.mkdir(mode=0o700)
        with PostgresServer(data_dir, durable=False, identity="nobody") as server:
            server.start()
            assert psutil.Process(server.pid).uids().real == NOBODY.pw_uid
            assert server.cluster.stat().st_uid == NOBODY.pw_uid
            assert answers(server)
        with start_postgres(data_dir, durable=False) as server:  # the cluster decides: nobody again, and not a new one
            assert psutil.Process(server.pid).uids().real == NOBODY.pw_uid


AS_NORMAL_USER = """
    import os, sys
    from pathlib import Path
    from service.embedded import start_postgres, start_valkey
    with start_postgres(Path(sys.argv[1]), durable=False) as server, start_valkey(Path(sys.argv[1])) as broker:
        with server.connect() as connection:
            print(os.geteuid(), connection.execute("select 1").fetchone()[0], broker.url[:9], flush=True)
"""


def python_of_nobody():
    """An interpreter of our version that `nobody` may run with our packages; none if there is none."""
    for python in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        try:
            trial = run_python(
                "import psycopg, pydantic_core, service", python=python, user=NOBODY.pw_uid, extra_groups=[]
            )
        except OSError:
            continue
        with trial:
            if trial.wait() == 0:
                return python
    return None


@as_root
def test_a_normal_user_needs_no_root(tmp_path_factory):
    python = python_of_nobody()
    if python is None:
        pytest.skip("nobody cannot read a Python of this version with our packages on this machine")
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        os.chown(place, NOBODY.pw_uid, NOBODY.pw_gid)
        identity = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": [], "cwd": "/"}
        with run_python(AS_NORMAL_USER, Path(place) / "data", python=python, **identity) as process:
            assert process.stdout.read().split() == [str(NOBODY.pw_uid), "1", "redis://:"]
        assert process.returncode == 0


def test_the_broker_keeps_its_address_and_its_data_when_it_is_killed(tmp_path):
    with start_valkey(tmp_path) as broker:
        address = broker.url
        with redis.Redis.from_url(address) as client:
            client.set("kept", "1")
            time.sleep(1.2)  # its file is synchronised once a second
        os.kill(broker.pid, signal.SIGKILL)
        broker.start()
        assert broker.url == address
        with redis.Redis.from_url(address) as client:
            assert client.get("kept") == b"1"
    with start_valkey(tmp_path) as broker, redis.Redis.from_url(broker.url) as client:
        assert client.get("kept") == b"1"


def test_the_broker_is_closed_to_others(tmp_path):
    with start_valkey(tmp_path) as broker:
        parts = urlsplit(broker.url)
        with socket.create_connection(("127.0.0.1", parts.port)) as stranger:
            stranger.sendall(b"PING\r\n")
            assert stranger.recv(100).startswith(b"-NOAUTH")
        process = psutil.Process(broker.pid)
        assert parts.password not in " ".join(process.cmdline())
        assert parts.password not in " ".join(process.environ().values())
        assert {c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


def test_a_broker_whose_port_is_taken_says_so(tmp_path):
    with start_valkey(tmp_path) as broker:
        port = urlsplit(broker.url).port
        broker.process.kill()
        broker.process.wait()
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind(("127.0.0.1", port))
            thief.listen()
            with pytest.raises(CannotStart, match=str(port)):
                broker.start()
        broker.start()
        with redis.Redis.from_url(broker.url) as client:
            assert client.ping()
