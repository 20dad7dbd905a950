"""How soon a campaign's page that lies open shows a measurement.

Run: `python -m benchmarks.live_page --batches 40 --write`

A whole Filmloop as `filmloop up` starts it, its worker deciding after every batch, and the page in a headless Chromium
(Debian's, or the one that FILMLOOP_CHROMIUM names). Wall time from the beginning of the instrument's request until the
page shows the new number of readings. The bound is 2 s.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks.chromium import ABSENT, chromium
from benchmarks.provenance import heading, markdown_table, provenance, write_study
from filmloop_client import Client, Instrument, Reading
from service.settings import Settings
from service.supervisor import running

BOUND_S = 2.0
HARDNESS = {"property": "hardness", "unit": "GPa"}
PROBLEM = {"space": {"elements": ["Fe", "Ga", "Pd"]}, "objectives": [HARDNESS], "film": {"devices": 7}}
SHOWN = "n => document.querySelector('[data-test=readings]').textContent.trim() === String(n)"


def delays(page: Any, instrument: Instrument, film: str, batches: int) -> Iterator[float]:  # noqa: ANN401 - untyped
    """Seconds from each batch to the page."""
    draws = np.random.default_rng(0).normal(5.0, 0.2, (batches, 7))
    for k, values in enumerate(draws):
        rows = [Reading(film_id=film, device=d, value=float(v), **HARDNESS) for d, v in enumerate(values)]
        begun = time.monotonic()
        instrument.measure(rows)
        page.wait_for_function(SHOWN, arg=7 * (k + 1), polling=10, timeout=30_000)
        yield time.monotonic() - begun
        time.sleep(1.0)


def measured(folder: Path, batches: int) -> list[float]:
    """The delays of one run.

    Raises:
        SystemExit: If there is no Chromium.
    """
    if (program := chromium()) is None:
        raise SystemExit(ABSENT)
    with (
        running(Settings(data_dir=folder)) as filmloop,
        Client(filmloop.url, key=filmloop.key) as client,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=["--no-sandbox"]) as browser,
    ):
        campaign = client.campaigns.create("live", PROBLEM)
        campaign.activate()
        claim = campaign.robot("sputter-1").claim(wait_s=60)
        assert claim is not None
        film = claim.start()
        claim.complete()
        context = browser.new_context(base_url=filmloop.url)
        context.request.post("/v1/session", data={"key": filmloop.key}, headers={"Origin": filmloop.url})
        page = context.new_page()
        page.goto(f"/campaigns/{campaign.id}")
        page.locator("#live", has_text="live").wait_for()
        return list(delays(page, campaign.instrument("indenter-1"), film, batches))


def main() -> int:
    """Measure, print, and keep the table if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--write", action="store_true", help="keep it under benchmarks/results")
    options = parser.parse_args()
    print(heading("live page"))
    facts = provenance()
    with tempfile.TemporaryDirectory(prefix="filmloop-live-") as folder:
        took = measured(Path(folder), options.batches)
    figures = {"median s": np.median(took), "95 % s": np.quantile(took, 0.95), "largest s": max(took)}
    row: dict[str, object] = {"batches": len(took)} | {name: round(float(s), 3) for name, s in figures.items()}
    rows = [row | {"bound s": BOUND_S, "within": "yes" if max(took) < BOUND_S else "no"}]
    print(markdown_table(rows))
    if options.write:
        write_study("live_page", facts, rows)
    return 0 if max(took) < BOUND_S else 1


if __name__ == "__main__":
    sys.exit(main())
