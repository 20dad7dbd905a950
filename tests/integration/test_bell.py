"""The bell speaks Celery's language, never holds a request up, and a broker that is away costs nothing but the ring."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.app import create_app
from service.embedded import start_valkey
from service.operations.health import readiness
from service.settings import BrokerSettings, DatabaseSettings, Settings
from service.store.bell import Bell, connect, remind, ring
from service.store.tables import JobRow
from tests.integration.conftest import Api, serving

WORKER = """
import sys
from pathlib import Path
from celery import Celery

app = Celery("listener", broker=sys.argv[1])
app.conf.update(task_default_queue="decide", accept_content=["json"], broker_connection_retry_on_startup=True)


@app.task(name="filmloop.decide", bind=True)
def decide(self, job_id):
    with Path(sys.argv[2]).open("a") as file:
        file.write(f"{job_id} {self.request.id}\\n")


app.worker_main(["worker", "-P", "solo", "-l", "warning", "--without-gossip", "--without-mingle", "-Q", "decide"])
"""


@pytest.fixture(scope="module")
def broker_url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="filmloop-test-") as folder, start_valkey(Path(folder)) as server:
        yield server.url


@pytest.fixture
def heard(broker_url: str, tmp_path: Path) -> Iterator[Path]:
    """What a real Celery worker writes down of every task it is given."""
    script, book = tmp_path / "listener.py", tmp_path / "heard"
    script.write_text(WORKER)
    book.touch()
    worker = subprocess.Popen([sys.executable, str(script), broker_url, str(book)], cwd=tmp_path, env=dict(os.environ))
    yield book
    worker.terminate()
    worker.wait(30)


def wait_for(book: Path, lines: int) -> list[str]:
    while len(book.read_text().splitlines()) < lines:  # pytest's own limit ends a wait for nothing
        time.sleep(0.05)
    return [line.split()[0] for line in book.read_text().splitlines()]


def test_a_celery_worker_receives_the_job(broker_url: str, heard: Path) -> None:
    assert ring(broker_url, "decide", "filmloop.decide", "job_1")
    with Bell(broker_url) as bell:
        bell.ring("job_2")
        bell.ring(None)
    assert wait_for(heard, 2) == ["job_1", "job_2"]


def test_a_batch_rings_for_its_committed_decision(
    broker_url: str, heard: Path, database_url: str, lab, reading
) -> None:
    settings = Settings(database=DatabaseSettings(url=database_url), broker=BrokerSettings(url=broker_url))
    campaign = lab.campaign()
    with serving(create_app(settings)) as client:
        assert client.get("/readyz").json()["status"] == "ready"
        receipt = Api(client).measure(campaign, [reading(lab.film(campaign), 0)]).json()
        (job_id,) = wait_for(heard, 1)
    assert job_id == receipt["decision"]["job_id"]
    with lab.sessions() as session:
        assert session.get_one(JobRow, job_id).state == "pending"


def test_reminders_do_not_pile_up_while_no_worker_is_up(broker_url: str) -> None:
    with connect(broker_url) as connection:
        for _ in range(5):
            remind(broker_url, "unheard", "filmloop.decide", ["job_1", "job_2"])
        assert connection.default_channel.client.llen("unheard") == 2
        connection.default_channel.client.lpop("unheard")  # a worker takes one
        remind(broker_url, "unheard", "filmloop.decide", ["job_1", "job_2"])
        assert connection.default_channel.client.llen("unheard") == 3
    remind("redis://127.0.0.1:1/0", "unheard", "filmloop.decide", ["job_1"])  # away: nothing is raised


def test_a_broker_that_never_answers_neither_fails_nor_delays_a_batch(database_url: str, lab, reading) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections and says nothing
        url = f"redis://127.0.0.1:{mute.getsockname()[1]}/0"
        settings = Settings(database=DatabaseSettings(url=database_url), broker=BrokerSettings(url=url))
        campaign = lab.campaign()
        with serving(create_app(settings)) as client:
            for k in range(3):
                assert Api(client).measure(campaign, [reading(lab.film(campaign), k)], key=f"k{k}").status_code == 201
        assert not ring(url, "decide", "filmloop.decide", "job_1")
        assert readiness(lab.sessions, url).status == "degraded"


def test_rings_that_wait_become_one_and_close_does_not_hang() -> None:
    bell = Bell("redis://127.0.0.1:1/0")
    for _ in range(1000):
        bell.ring("job_1")
    bell.close()
    assert not bell._thread.is_alive()
