"""`filmloop export` and `filmloop import`, as an operator runs them."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from service.cli import main
from tests.conftest import _database


def filmloop(*arguments, url):
    """Run a command within this process, which is quicker than a new one."""
    done = CliRunner().invoke(main, list(map(str, arguments)), env={"FILMLOOP_DATABASE__URL": url})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return done


@pytest.fixture
def elsewhere(server_url, template):
    """Another database with the schema."""
    yield from _database(server_url, template)


@pytest.fixture
def campaign(lab, reading, api):
    """One with three readings."""
    campaign = lab.campaign()
    api.measure(campaign, [reading(lab.film(campaign), k) for k in range(3)])
    return campaign


def test_a_campaign_goes_and_comes_back(api, campaign, settings, elsewhere, tmp_path):
    file, there = tmp_path / "wafer.zip", tmp_path / "there"
    command = [sys.executable, "-m", "service.cli", "export", campaign, "-o", str(file), "--json"]
    environment = os.environ | {"FILMLOOP_DATABASE__URL": settings.database.url, "FILMLOOP_DATA_DIR": str(tmp_path)}
    written = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (written.returncode, written.stderr) == (0, "")
    told = json.loads(written.stdout)
    assert (told["campaign"], told["revision"], told["bytes"]) == (campaign, 1, file.stat().st_size)
    assert told["snapshot_hash"] == api.get(f"/v1/campaigns/{campaign}/dataset").json()["snapshot_hash"]
    assert not list(tmp_path.glob(".*.part"))

    read = filmloop("import", file, "--json", "--data-dir", there, url=elsewhere)
    assert (read.exit_code, read.stderr) == (0, "")
    same = {name: told[name] for name in ("campaign", "name", "revision", "snapshot_hash")}
    assert json.loads(read.stdout) == same | {"state": "paused"}
    again = filmloop("import", file, "--data-dir", there, url=elsewhere)
    assert (again.exit_code, again.stdout) == (1, "")
    assert "is here already" in again.stderr


def test_what_cannot_be_done_is_said_in_a_line(database_url, empty_database_url, tmp_path):
    odd = tmp_path / "odd.zip"
    odd.write_text("nothing")
    none = ["export", "cmp_none", "-o", tmp_path / "none.zip"]
    tries = [
        ("there is no campaign 'cmp_none'", database_url, none),
        ("odd.zip is there already", database_url, ["export", "cmp_none", "-o", odd]),
        ("No such file or directory", database_url, ["export", "cmp_none", "-o", tmp_path / "nowhere" / "none.zip"]),
        ("this is no archive", database_url, ["import", odd]),
        ("is empty, this code needs", empty_database_url, none),
        ("the database: connection", f"postgresql+psycopg://nobody@/x?host={tmp_path}", none),
    ]
    for why, url, arguments in tries:
        done = filmloop(*arguments, "--data-dir", tmp_path / "data", url=url)
        assert (done.exit_code, done.stdout) == (1, ""), done.stderr
        assert why in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert filmloop("import", tmp_path / "none.zip", url=database_url).exit_code == 2
    assert not (tmp_path / "none.zip").exists()
