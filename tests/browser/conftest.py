"""A demo that runs, and a browser that looks at it. Without Chromium these tests are skipped, and say so."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.chromium import ABSENT, chromium
from service.supervisor.run_file import read_run_file
from tests.browser.visits import Demo, Visit

FILMS, DEVICES = 3, 7
RUNNING = re.compile(r"still running: (http://[^/\s]+)/v1/campaigns/(\w+)")


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """A headless Chromium. It ends with this package: while it runs, its event loop is that of the main thread."""
    program = chromium()
    if program is None:
        pytest.skip(ABSENT)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser to drive

    with sync_playwright() as playwright:
        # Root may not use Chromium's sandbox; what is looked at here is our own.
        yield playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])


@pytest.fixture(scope="package")
def demo(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that has made its films and runs on."""
    folder = tmp_path_factory.mktemp("demo")
    command = [Path(sys.executable).parent / "filmloop", "demo", "--keep-running", "--no-plot"]
    counts = ["--films", str(FILMS), "--devices", str(DEVICES)]
    log = folder / "demo.log"
    with log.open("w") as file:
        process = subprocess.Popen([*command, *counts, "--data-dir", folder / "data"], stdout=file, stderr=file)
    try:
        found = _ready(process, log, folder / "data")
        with found.client:
            yield found
    finally:
        process.terminate()
        process.wait(60)


def _ready(process: subprocess.Popen[bytes], log: Path, data: Path) -> Demo:
    deadline = time.monotonic() + 240
    while (found := RUNNING.search(log.read_text())) is None:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
    key = (data / "key").read_text().strip()
    client = httpx.Client(base_url=found[1], headers={"Authorization": f"Bearer {key}"}, timeout=30)
    running = read_run_file(data)
    assert running is not None
    return Demo(found[1], found[2], key, client, running["database"])


@pytest.fixture
def visit(browser: Any, demo: Demo) -> Iterator[Any]:
    """Open a page as a visitor: `visit(path, theme=..., locale=..., width=...)`."""
    visits: list[Visit] = []

    def opened(path: str, **how: Any) -> Visit:
        visits.append(Visit(browser, demo, **how))
        visits[-1].go(path)
        return visits[-1]

    yield opened
    for one in visits:
        one.close()
