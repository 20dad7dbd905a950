"""The restore drill of the operator's page, with its own commands: back up, destroy, restore, compare."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults.killed_api import body
from benchmarks.faults.loop import Loop, record
from benchmarks.keys import KEY, admit
from service.app import create_app
from service.embedded import start_postgres
from service.operations.decisions import ModelRecord, load_artifact, publish_decision, store_artifact
from service.operations.refill import request_decision
from service.settings import DatabaseSettings, Settings
from service.store.schema import upgrade
from service.supervisor.key_file import keep_key, read_key
from tests.integration.conftest import serving

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
BACK_UP, EXPORT, RESTORE = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
MODEL = b"weights"

pytestmark = pytest.mark.fault


def run(block: str, **given: object) -> None:
    """A block of the page as it stands."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        env=os.environ | {"PATH": path} | {name: str(value) for name, value in given.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def fill(url: str, data_dir: Path) -> str:
    """A campaign with a film, readings, a decision with a model, and a robot that holds a film."""
    upgrade(url)
    admit(url)
    keep_key(data_dir, KEY)
    with record(url) as sessions, serving(create_app(settings_of(url, data_dir))) as client:
        loop = Loop(sessions)
        campaign, film = loop.made()
        for number in range(3):
            path, key = f"/v1/campaigns/{campaign}/measurement-batches", {"Idempotency-Key": str(number)}
            assert client.post(path, json=body(film, number), headers=key).status_code == 201
        with sessions.begin() as session:
            request_decision(session, campaign, 0)
        decision = loop.take(campaign)
        artifact = store_artifact(data_dir / "artifacts", MODEL)
        model = ModelRecord("film_gp", 1, {"evidence": -1.5}, {"torch": "2"}, {"points": []}, artifact)
        assert publish_decision(sessions, decision, model, loop.advice(3))
        claim = client.post(
            f"/v1/campaigns/{campaign}/claims", json={"robot": "ada"}, headers={"Idempotency-Key": "claim"}
        )
        assert claim.status_code == 201
    return campaign


def settings_of(url: str, data_dir: Path) -> Settings:
    return Settings(database=DatabaseSettings(url=url), data_dir=data_dir)


def all_there_is(url: str, data_dir: Path, campaign: str) -> dict[str, object]:
    """What people see of a campaign: hashes and rows of every revision, proposals, films, models, lineage, events."""
    with serving(create_app(settings_of(url, data_dir))) as client:

        def read(path: str) -> object:
            answer = client.get(f"/v1/campaigns/{campaign}{path}")
            assert answer.status_code == 200, answer.text
            return answer.json()

        nouns = ("", "/proposals", "/films", "/model-versions", "/lineage", "/events", "/instruments")
        paths = [*nouns, *(f"/dataset?revision={revision}" for revision in range(4))]
        return {path: read(path) for path in paths}


def test_what_was_backed_up_is_restored_as_it_was(tmp_path):
    backup, there, anew = tmp_path / "backup", tmp_path / "there", tmp_path / "anew"
    backup.mkdir()
    with start_postgres(there, durable=False) as server:
        campaign = fill(server.url, there)
        before = all_there_is(server.url, there, campaign)
    run(BACK_UP, FILMLOOP_DATA_DIR=there, BACKUP=backup)
    run(EXPORT, FILMLOOP_DATA_DIR=there, BACKUP=backup, CAMPAIGN=campaign)
    shutil.rmtree(there)
    run(RESTORE, FILMLOOP_DATA_DIR=anew, BACKUP=backup)
    with start_postgres(anew, durable=False) as server:
        assert all_there_is(server.url, anew, campaign) == before
    assert read_key(anew) == KEY
    (model,) = before["/model-versions"]["items"]
    assert load_artifact(anew / "artifacts", model["artifact"]["sha256"]) == MODEL
    assert len({str(before[f"/dataset?revision={revision}"]["snapshot_hash"]) for revision in range(4)}) == 4
    assert (backup / "campaign.zip").stat().st_size > 1000
