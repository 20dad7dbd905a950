"""Row 13: the file of a model is cut, flipped or missing. Its hash refuses, and the previous model serves."""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx
from sqlalchemy import select

from benchmarks.faults.found import Found
from benchmarks.faults.hands import Hands, Order, hands
from benchmarks.faults.killed_workers import due, more_data
from benchmarks.faults.loop import Loop, record
from benchmarks.faults.served import Served, served
from service.store.tables import JobRow, ModelVersionRow

HARMS = ("cut", "emptied", "flipped", "missing", "another's")
ASKED = {"compositions": [{"Fe": 0.2, "Ga": 0.3, "Pd": 0.5}, {"Fe": 0.6, "Ga": 0.2, "Pd": 0.2}]}


def harm(path: Path, how: str, chance: random.Random) -> None:
    """Damage a file."""
    data = bytearray(path.read_bytes())
    if how == "cut":
        path.write_bytes(data[: chance.randrange(1, len(data))])
    elif how == "emptied":
        path.write_bytes(b"")
    elif how == "flipped":
        at = chance.randrange(len(data) * 3 // 4, len(data))  # the arrays come last: the file can still be parsed
        data[at] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
    elif how == "missing":
        path.unlink()
    else:
        other = next(file for file in path.parent.parent.rglob("*") if file.is_file() and file != path)
        path.write_bytes(other.read_bytes())


class Trial:
    """A campaign with two models of which the newer one is damaged."""

    def __init__(self, loop: Loop, workers: Hands, api: Served, database_url: str, folder: Path) -> None:
        self._loop, self._workers, self._served = loop, workers, api
        self._api = httpx.Client(base_url=api.url, timeout=60)
        self._order = {"database": database_url, "data_dir": str(folder)}
        self._folder = folder
        self.wrong: Counter[str] = Counter()

    def run(self, how: str, chance: random.Random) -> None:
        """One campaign and one way to damage a file."""
        loop = self._loop
        campaign_id = loop.campaign(queue_depth=3)
        loop.decide(campaign_id)
        film_id = loop.film(campaign_id)
        for _ in range(2):
            more_data(loop, campaign_id, film_id, chance)
            self._decide(campaign_id)
        old, new = self._models(campaign_id)
        by_old, by_new = self._predicted(old.id), self._predicted(new.id)
        assert by_old.status_code == by_new.status_code == 200, by_old.text
        harm(self._folder / "artifacts" / new.artifact_sha256[:2] / new.artifact_sha256, how, chance)
        self._served.end()  # what it keeps in memory is right; it shall read the file
        self._served.start()
        self._look(campaign_id, new, {str(by_old.json()["properties"]), str(by_new.json()["properties"])})
        more_data(loop, campaign_id, film_id, chance)
        self._decide(campaign_id)
        newest = self._models(campaign_id)[-1]
        self.wrong["no model after the damage"] += newest.id == new.id or self._predicted(newest.id).status_code != 200

    def close(self) -> None:
        """Hang up."""
        self._api.close()

    def _look(self, campaign_id: str, damaged: ModelVersionRow, true: set[str]) -> None:
        """What is asked of the damaged model is refused with a type; what is asked of the campaign is answered."""
        own = self._predicted(damaged.id)
        if own.status_code == 200:
            self.wrong["believed a damaged file"] += str(own.json()["properties"]) not in true
        else:
            self.wrong["refused without a type"] += not own.json()["type"].endswith("artifact-damaged")
        campaign = self._api.post(f"/v1/campaigns/{campaign_id}/predictions", json=ASKED)
        if campaign.status_code == 200:
            self.wrong["believed a damaged file"] += str(campaign.json()["properties"]) not in true
        self.wrong["the previous model does not serve"] += campaign.status_code != 200
        following = self._api.get(f"/v1/campaigns/{campaign_id}/proposals/next")
        self.wrong["nothing to claim"] += following.status_code != 200

    def _decide(self, campaign_id: str) -> None:
        with self._loop.sessions() as session:
            job_id = due(session, campaign_id)
        assert job_id is not None
        self.wrong["the worker broke down"] += self._workers.work(Order(job_id=job_id, **self._order)) != 0
        self.wrong["not decided"] += self._loop.row(JobRow, job_id).state != "succeeded"

    def _models(self, campaign_id: str) -> list[ModelVersionRow]:
        with self._loop.sessions() as session:
            query = select(ModelVersionRow).where(ModelVersionRow.campaign_id == campaign_id)
            return list(session.scalars(query.order_by(ModelVersionRow.id)))

    def _predicted(self, model_version_id: str) -> httpx.Response:
        return self._api.post(f"/v1/model-versions/{model_version_id}/predictions", json=ASKED)


def run(
    database_url: str,
    folder: Path,
    *,
    rounds: int,
    seed: int,
    naive: str | None = None,
    harms: Sequence[str] = HARMS,
) -> Found:
    """Damage a model's file in each way, campaign after campaign.

    Args:
        database_url: A database with the schema.
        folder: For artifacts and logs.
        rounds: How often each way.
        seed: Of places and values.
        naive: A variant of the API.
        harms: In which ways.
    """
    chance = random.Random(seed)  # noqa: S311 - not a secret
    with record(database_url) as sessions, hands(folder) as workers, served(database_url, folder, naive) as api:
        trial = Trial(Loop(sessions), workers, api, database_url, folder)
        for how in [*harms] * rounds:
            trial.run(how, chance)
        trial.close()
    return Found(rounds * len(harms), dict(trial.wrong), f"{rounds} models each {', '.join(harms)}")
