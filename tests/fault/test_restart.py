"""Every process of a running Filmloop is killed; what was acknowledged stays, and work goes on without a person."""

import os
import signal
import time
import uuid

import httpx
import psutil
import pytest

from service.embedded import start_postgres
from service.settings import Settings
from service.supervisor import running
from service.supervisor.run_file import read_run_file

pytestmark = pytest.mark.fault

WAIT_S = 90
"""Only a bound against hanging for ever."""
CAMPAIGN = {
    "name": "wafer",
    "problem": {
        "space": {"elements": ["Fe", "Ga", "Pd"]},
        "objectives": [{"property": "magnetisation", "unit": "emu/cm3"}],
        "film": {"devices": 5},
    },
}


def embedded(data_dir):
    """Servers of our own, since they are to be killed, whatever the environment offers."""
    return Settings(data_dir=data_dir, database={"url": None}, broker={"url": None})


class Stack:
    """A Filmloop in this process' care, and what a client does with it."""

    def __init__(self, data_dir, filmloop):
        self.data_dir = data_dir
        self.client = httpx.Client(
            base_url=filmloop.url, timeout=WAIT_S, headers={"Authorization": f"Bearer {filmloop.key}"}
        )

    def pid(self, name):
        return (read_run_file(self.data_dir) or {"pids": {}})["pids"].get(name)

    def kill(self, name):
        """SIGKILL, and wait until another process has taken its place."""
        before = self.pid(name)
        os.kill(before, signal.SIGKILL)
        self.eventually(lambda: self.pid(name) not in {before, None}, f"{name} runs again")
        assert psutil.pid_exists(self.pid(name))
        return before

    def eventually(self, holds, what):
        deadline = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < deadline, f"not within {WAIT_S} s: {what}"
            time.sleep(0.05)

    def post(self, path, body):
        """As the client does: the same key until there is an answer that is not the server's trouble."""
        key, answer = uuid.uuid4().hex, None

        def answered():
            nonlocal answer
            try:
                answer = self.client.post(path, json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                return False
            return answer.status_code < 500

        self.eventually(answered, f"an answer to POST {path}")
        assert answer.is_success, answer.text
        return answer.json()

    def campaign(self):
        """A new active campaign."""
        campaign = self.post("/v1/campaigns", CAMPAIGN)
        self.post(f"/v1/campaigns/{campaign['id']}/actions", {"action": "activate"})
        return campaign["id"]

    def state(self, campaign_id):
        return self.client.get(f"/v1/campaigns/{campaign_id}").json()["state"]

    def proposals(self, campaign_id):
        return self.client.get(f"/v1/campaigns/{campaign_id}/proposals").json()["items"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("fault") / "data"
    start_postgres(data_dir, durable=False).stop()  # a cluster made quickly; it runs with all its safety below
    with running(embedded(data_dir)) as filmloop:
        stack = Stack(data_dir, filmloop)
        with stack.client:
            yield stack


def test_a_killed_api_comes_back_at_the_same_address_with_everything_it_acknowledged(stack):
    campaign_id = stack.campaign()
    stack.kill("api")
    assert stack.state(campaign_id) == "active"  # asked while nobody listens yet: the question waits


def test_a_killed_database_comes_back_with_everything_it_acknowledged(stack):
    campaigns = [stack.campaign() for _ in range(3)]
    stack.kill("postgres")
    campaigns.append(stack.campaign())
    assert [stack.state(campaign_id) for campaign_id in campaigns] == ["active"] * 4


def test_decisions_are_made_after_the_worker_was_killed(stack):
    stack.kill("worker-1")
    campaign_id = stack.campaign()
    stack.eventually(lambda: stack.proposals(campaign_id), "a proposal")


def test_decisions_are_made_after_the_broker_was_killed(stack):
    stack.kill("valkey")
    campaign_id = stack.campaign()
    stack.eventually(lambda: stack.proposals(campaign_id), "a proposal")


@pytest.mark.parametrize("moment_s", [0.05, 0.15, 0.3, 0.45])
def test_a_worker_that_is_busy_when_the_broker_dies_hears_the_next_one(stack, moment_s):
    campaigns = [stack.campaign() for _ in range(3)]
    time.sleep(moment_s)  # into the handling of a message, where an unfinished acknowledgement once made a worker deaf
    stack.kill("valkey")
    campaigns.append(stack.campaign())
    stack.eventually(lambda: all(stack.proposals(campaign_id) for campaign_id in campaigns), "proposals")


def test_a_lost_bell_is_rung_again_by_a_housekeeping_that_was_killed_itself(stack):
    os.kill(stack.pid("valkey"), signal.SIGKILL)  # nobody hears the bell of this campaign
    campaign_id = stack.campaign()
    stack.kill("housekeeping")
    stack.eventually(lambda: stack.proposals(campaign_id), "a proposal")


def test_a_process_that_keeps_dying_is_started_less_and_less_often(stack):
    pids = [stack.kill("housekeeping") for _ in range(3)]
    assert len(set(pids)) == 3
    log = (stack.data_dir / "log" / "filmloop.log").read_text()
    said = [line for line in log.splitlines() if "housekeeping was ended by SIGKILL; starting it again in" in line]
    waits = [float(line.split()[-2]) for line in said]
    assert waits[-1] > waits[-2]


def test_everything_is_down_afterwards_and_up_again_with_its_data(tmp_path):
    data_dir = tmp_path / "data"
    start_postgres(data_dir, durable=False).stop()
    settings = embedded(data_dir)
    with running(settings, workers=0) as filmloop:
        stack = Stack(data_dir, filmloop)
        with stack.client:
            campaign_id = stack.campaign()
        pids = read_run_file(data_dir)["pids"].values()
        with running(settings) as again:  # joins the one that runs, and leaves it running
            assert again == filmloop
        assert httpx.get(f"{filmloop.url}/healthz").is_success
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    with running(settings, workers=0) as filmloop:
        stack = Stack(data_dir, filmloop)
        with stack.client:
            assert stack.state(campaign_id) == "active"
