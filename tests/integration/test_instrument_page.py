"""The instrument programmer's page: its commands run as they stand, one after the other."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import PROBLEM

PAGE = Path(__file__).parents[2] / "docs" / "instrument.md"
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page is written for curl")
def test_the_pages_commands_run_as_they_stand(api, lab, tmp_path):
    seeks = {"objectives": [{"property": "magnetisation", "unit": "emu/cm3"}]}
    campaign = lab.campaign(problem=PROBLEM | seeks)
    film = lab.film(campaign)
    given = {"FILMLOOP_URL": str(api.client.base_url).rstrip("/"), "CAMPAIGN": campaign, "FILM": film}
    assert len(BLOCKS) == 5
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\necho\n".join(BLOCKS)],
        cwd=tmp_path,
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    read = {r["device"]: r for r in api.get(f"/v1/campaigns/{campaign}/dataset").json()["rows"]}
    assert [(read[k]["value"], read[k]["status"]) for k in range(3)] == [(512.3, "ok"), (498.1, "ok"), (None, "dead")]
    assert read[0]["composition"]["Fe"] == pytest.approx(71.2 / 99.9)
    devices = api.get(f"/v1/films/{film}").json()
    assert devices["attachments"] == {"diffraction_pattern": 1}
    (listed,) = api.get(f"/v1/campaigns/{campaign}/attachments").json()["items"]
    pattern = api.get(f"/v1/attachments/{listed['id']}").json()
    assert pattern["data"]["values"] == [118, 131, 127]
    assert done.stdout.count(listed["id"]) == 2


def test_the_page_keeps_its_promise_of_ten_lines():
    assert len(BLOCKS[0].strip().splitlines()) <= 10
