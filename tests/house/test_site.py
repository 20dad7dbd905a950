"""The documentation builds as a site without a warning, and asks nothing of any other server when it is read."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASKED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//|<link\b[^>]*\bhref=["']?(?:https?:)?//[^>]*>"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as it is published."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_kind_of_page_is_there(site: Path) -> None:
    reference = (site / "reference/client.html").read_text()
    assert "offline_instrument" in reference
    assert "When this returns they are on this computer" in reference
    assert "POST /v1/campaigns/{campaign_id}/measurement-batches" in (site / "reference/calls.html").read_text()
    assert "filmloop campaign follow" in (site / "reference/commands.html").read_text()
    assert "def train" in (site / "reference/science.html").read_text() or "train" in reference
    assert "injected" in (site / "measured/faults.html").read_text()
    assert "FILMLOOP_KEY" in (site / "notebook.html").read_text()
    assert (site / "adr/0001-database-is-the-truth-broker-is-a-doorbell.html").exists()
    assert 'src="images/demo.png"' in (site / "index.html").read_text()


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = {path.relative_to(site): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    assert len(pages) > 60
    asked = {str(name): found.group(0)[:120] for name, text in pages.items() if (found := ASKED.search(text))}
    assert asked == {}
    sheets = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    assert [
        found for text in sheets for found in re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^)\"']+", text)
    ] == []
