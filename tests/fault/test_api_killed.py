"""The API killed again and again while instruments post: what was acknowledged is there once, the rest whole or not."""

import threading
import uuid
from collections import Counter
from datetime import UTC, datetime

import httpx
import pytest

from filmloop_client import Client
from service.simulation.campaign import PROPERTY, UNIT, fe_ga_pd_problem
from tests.fault.conftest import Stack

KILLS = 5
WRITERS = 3
ROWS = 7

pytestmark = pytest.mark.fault


class Writer:
    """An instrument that never repeats a call, and remembers which batches were acknowledged and which were not."""

    def __init__(self, stack: Stack, campaign_id: str, film_id: str, name: str) -> None:
        self.path = f"{stack.url}/v1/campaigns/{campaign_id}/measurement-batches"
        self.film_id = film_id
        self.name = name
        self.acknowledged: list[str] = []
        self.unanswered: list[str] = []

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            batch = uuid.uuid4().hex
            body = {"instrument": self.name, "measurements": [self.reading(f"{batch}/{k}", k) for k in range(ROWS)]}
            try:
                answer = httpx.post(self.path, json=body, headers={"Idempotency-Key": batch}, timeout=10)
            except httpx.TransportError:
                self.unanswered.append(batch)
                stop.wait(0.02)
                continue
            assert answer.status_code == 201, answer.text
            self.acknowledged.append(batch)
            stop.wait(0.01)

    def reading(self, uid: str, device: int) -> dict[str, object]:
        return {
            "uid": uid,
            "film_id": self.film_id,
            "device": device,
            "property": PROPERTY,
            "unit": UNIT,
            "value": 1.0 + device,
            "measured_at": datetime.now(UTC).isoformat(),
        }


def test_a_killed_api_loses_no_acknowledged_measurement(stack: Stack) -> None:
    with Client(stack.url, patience=60) as client:
        campaign = client.campaigns.create("kills", fe_ga_pd_problem())
        campaign.activate()
        claim = campaign.robot("robot").claim(wait_s=60)
        assert claim is not None
        film_id = claim.start()
        claim.complete()
        campaign.act("pause")  # measurements are accepted all the same, and no training slows the writers down
        writers = [Writer(stack, campaign.id, film_id, f"instrument-{n}") for n in range(WRITERS)]
        stop = threading.Event()
        threads = [threading.Thread(target=writer.run, args=(stop,)) for writer in writers]
        for thread in threads:
            thread.start()
        for _ in range(KILLS):
            stop.wait(0.5)
            killed = stack.kill("api")
            stack.await_restart("api", killed)
            campaign.refresh()  # the client tries until the new process answers
        stop.set()
        for thread in threads:
            thread.join()
        stored = Counter(row.uid.split("/")[0] for row in campaign.dataset().rows)
    acknowledged = [batch for writer in writers for batch in writer.acknowledged]
    unanswered = [batch for writer in writers for batch in writer.unanswered]
    assert len(acknowledged) > KILLS
    assert unanswered  # how many a kill cuts off is chance: callers wait on the open socket while the API restarts
    assert {batch: stored[batch] for batch in acknowledged if stored[batch] != ROWS} == {}
    assert {batch: stored[batch] for batch in unanswered if stored[batch] not in (0, ROWS)} == {}
    assert set(stored) <= {*acknowledged, *unanswered}
