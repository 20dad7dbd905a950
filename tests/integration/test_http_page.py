"""The page on HTTP: its commands run as they stand."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "http.md"
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
ENDED_BY_TIME = 28
"""How curl says that it followed a stream for as long as it was told to."""


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page is written for curl")
def test_the_pages_commands_run_as_they_stand(api, lab, reading, tmp_path):
    campaign = lab.campaign()
    api.measure(campaign, [reading(lab.film(campaign), 0)])
    given = {"FILMLOOP_URL": str(api.client.base_url).rstrip("/"), "CAMPAIGN": campaign}
    (block,) = BLOCKS
    done = subprocess.run(
        ["bash", "-uo", "pipefail", "-c", f"set -e\n{block}"],
        cwd=tmp_path,
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ENDED_BY_TIME, done.stdout + done.stderr
    page, stream = done.stdout.split("retry: 2000", 1)
    for told in (page, stream):
        assert '"type":"batch.recorded"' in told
    assert "id: 1\n" in stream
