"""Lives of campaigns through HTTP against a hundred lines that say what must happen; counts steps and disagreements.

    python -m benchmarks.lives --steps 2000 --seed 1

The state machine is that of `tests/property/lives.py`, its model `tests/property/life.py`: people act on campaigns and
proposals, robots claim, renew, start, complete, fail and release, leases lapse, instruments measure, configurations
change, decisions are taken and published in between. After every step all that can be seen is compared.
"""

import argparse
import logging
import tempfile
from collections import Counter
from pathlib import Path

import hypothesis
import pytest
import structlog
from hypothesis.stateful import run_state_machine_as_test

from benchmarks.provenance import heading, markdown_table, provenance, write_study
from service.app import create_app
from service.embedded import start_postgres
from service.settings import DatabaseSettings, Settings
from service.store.schema import upgrade
from service.store.session import make_engine, make_sessions
from tests.integration.conftest import serving
from tests.property.broken import BROKEN
from tests.property.lives import Lives

LIVES_AT_ONCE = 10
MOST_STEPS = 3000
"""After which a broken service counts as not noticed."""
STEPS_A_LIFE = 50


def main() -> None:
    """Live, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000, help="least number of steps")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(heading("Lives of campaigns"), flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="filmloop-") as folder,
        start_postgres(Path(folder), durable=False) as server,
    ):
        upgrade(server.url)
        hits, found = live(server.url, Path(folder), options.steps, options.seed)
        broken = {how: _noticed(server.url, Path(folder), how, options.seed) for how in BROKEN}
    rules = sorted(name for name in hits if ":" not in name)
    rows = [
        {
            "what is done": rule,
            "times": hits[rule],
            "answered": ", ".join(
                f"{n.partition(': ')[2]}: {hits[n]}" for n in sorted(hits) if n.startswith(f"{rule}:")
            ),
        }
        for rule in rules
    ]
    told: dict[str, object] = {"steps": sum(hits[rule] for rule in rules), "disagreements": len(found)}
    facts = {**provenance(), **told, "seed": options.seed, "what disagreed": found}
    facts["steps until it was noticed that"] = broken
    print(told, broken, markdown_table(rows), *found, sep="\n")
    if options.write:
        write_study("lives", facts, rows)


def _noticed(url: str, folder: Path, how: str, seed: int) -> int | None:
    """Steps until a broken service, or a wrong model, is noticed; none if it never is."""
    with pytest.MonkeyPatch.context() as patch:
        BROKEN[how](patch)
        hits, found = live(url, folder, MOST_STEPS, seed, until_noticed=True)
    return sum(n for name, n in hits.items() if ":" not in name) if found else None


def live(
    url: str, folder: Path, steps: int, seed: int, *, until_noticed: bool = False
) -> tuple[Counter[str], list[str]]:
    """Live until so many steps are made, or something disagrees: how often each was made, and what disagreed."""
    hits: Counter[str] = Counter()
    found: list[str] = []
    engine = make_engine(url)
    app = create_app(Settings(database=DatabaseSettings(url=url), data_dir=folder))
    with serving(app) as client:
        while sum(n for name, n in hits.items() if ":" not in name) < steps and not (found and until_noticed):
            seed += 1
            machine = type("LivesHere", (Lives,), {"client": client, "sessions": make_sessions(engine), "hits": hits})
            try:
                run_state_machine_as_test(hypothesis.seed(seed)(machine), settings=_settings())
            except AssertionError as error:
                found.append(f"seed {seed}: {str(error)[:1000]}")
    engine.dispose()
    return hits, found


def _settings() -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=LIVES_AT_ONCE,
        stateful_step_count=STEPS_A_LIFE,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


if __name__ == "__main__":
    main()
