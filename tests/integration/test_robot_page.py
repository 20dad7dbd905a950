"""The robot programmer's page: its commands run as they stand."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "robot.md"
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page is written for curl")
def test_the_pages_commands_run_as_they_stand(api, loop, tmp_path):
    campaign = loop.campaign(queue_depth=2)
    loop.decide(campaign)
    given = {"FILMLOOP_URL": str(api.client.base_url).rstrip("/"), "CAMPAIGN": campaign}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", *BLOCKS],
        cwd=tmp_path,
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    films = api.get(f"/v1/campaigns/{campaign}/films").json()["items"]
    assert [(film["robot"], film["state"], film["outcome"]) for film in films] == [("sputter-1", "made", "ok")] * 2
    wanted = api.get(f"/v1/campaigns/{campaign}/proposals").json()["items"]
    assert [line.split('"')[0] for line in done.stdout.splitlines()] == ["make "] * 2
    assert {p["state"] for p in wanted} == {"made"}


def test_the_page_keeps_its_promise_of_ten_lines():
    (block,) = BLOCKS
    assert len(block.strip().splitlines()) <= 10
