"""Ask a running Filmloop thousands of things that its description allows or forbids, with every check of Schemathesis.

    python -m benchmarks.fuzz --examples 60 --seed 1

One Filmloop of real processes is started and furnished with a lab; then Schemathesis draws requests from the served
description: recorded examples, bounds and missing parts one by one (coverage), random ones (fuzzing), and chains along
its links (stateful). The tables say how many cases each operation had, and for which rules that no JSON Schema can say
requests were refused; the rules are in `rules.py`. Anything else that a check finds is a failure.
"""

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import NullPool

from benchmarks.fuzz.lab import furnish
from benchmarks.fuzz.rules import RULES
from benchmarks.fuzz.run import Outcome, fuzz
from benchmarks.provenance import heading, markdown_table, provenance, write_study
from service.settings import Settings
from service.store import jobs, models
from service.supervisor import Running, running

PHASES = ("examples", "coverage", "fuzzing", "stateful")
DECIDED_S = 120.0


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=60, help="cases per operation of the phases that draw")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phases", default=",".join(PHASES))
    parser.add_argument("--write", action="store_true", help="store the tables under benchmarks/results")
    options = parser.parse_args()
    print(heading("Requests drawn from the description"), flush=True)
    with tempfile.TemporaryDirectory(prefix="filmloop-") as directory, furnished(Path(directory)) as (filmloop, ids):
        folder = Path(directory)
        began = time.monotonic()
        how = {"examples": options.examples, "seed": options.seed, "phases": options.phases}
        found = fuzz(filmloop.url, ids, folder, key=filmloop.key or "", **how)
        seconds = time.monotonic() - began
        shown = (folder / "output.txt").read_text()
    if found.failures or found.errors:
        print(shown)
    facts = {**provenance(), **summary(found), "seed": options.seed, "seconds": round(seconds)}
    table = by_operation(found)
    print(json.dumps(facts, indent=1), markdown_table(table), markdown_table(by_rule(found)), sep="\n\n")
    if options.write:
        write_study("fuzz", facts, table)
        page = Path(__file__).parents[1] / "results/fuzz/fuzz.md"
        page.write_text(f"{page.read_text()}\n## Refused for a rule that JSON Schema cannot say\n\n")
        page.write_text(f"{page.read_text()}{markdown_table(by_rule(found))}\n")


@contextmanager
def furnished(folder: Path) -> Iterator[tuple[Running, dict[str, list[str]]]]:
    """A Filmloop with a lab, and the ids of what is there."""
    # Wrong keys are tried, too, and more of them than are answered otherwise.
    os.environ["FILMLOOP_API__WRONG_KEYS_PER_S"] = "1e6"
    with running(Settings(data_dir=folder / "data")) as filmloop:
        facts = json.loads((folder / "data" / "run.json").read_text())
        with httpx.Client(
            base_url=filmloop.url, timeout=60, headers={"Authorization": f"Bearer {filmloop.key}"}
        ) as client:
            ids = furnish(client, _decided(facts["database"]))
        yield filmloop, ids


def _decided(database: str) -> Callable[[str], None]:
    """Waits until a campaign has no decision under way and its model tells what researchers ask."""
    sessions = sessionmaker(create_engine(database, poolclass=NullPool))

    def wait(campaign_id: str) -> None:
        deadline = time.monotonic() + DECIDED_S
        while time.monotonic() < deadline:
            with sessions() as session:
                model = models.newest(session, campaign_id)
                explained = model is None or models.insights(session, model.id) is not None
                if explained and not jobs.live(session, campaign_id):
                    return
            time.sleep(0.1)
        raise TimeoutError(f"campaign {campaign_id} had no decision for {DECIDED_S:g} s")

    return wait


def summary(found: Outcome) -> dict[str, Any]:
    """What a run comes to."""
    phases = {phase: sum(n for (_, p), n in found.cases.items() if p == phase) for phase in PHASES}
    classes = {f"{k}xx": sum(n for status, n in found.statuses.items() if status // 100 == k) for k in range(2, 6)}
    return {
        "schemathesis": version("schemathesis"),
        "operations": found.report["operations"]["tested"],
        "cases": found.report["test_cases"]["generated"],
        "cases by phase": phases,
        "answers": classes,
        "checks made": dict(sorted(found.checks.items())),
        "failures": len(found.failures),
        "errors": len(found.errors),
        "refused for a rule": sum(found.excused.values()),
    }


def by_operation(found: Outcome) -> list[dict[str, object]]:
    """One line per operation: cases by phase, and failures."""
    failed = [f["operation"] for f in found.failures]
    lines = {o: o if o in found.described else "methods that are not described" for o, _ in found.cases}
    return [
        {
            "operation": line,
            **{p: sum(n for (o, phase), n in found.cases.items() if (lines[o], phase) == (line, p)) for p in PHASES},
            "failures": sum(lines[o] == line for o in failed),
        }
        for line in sorted(set(lines.values()))
    ]


def by_rule(found: Outcome) -> list[dict[str, object]]:
    """One line per rule: how often a request was refused for it, and why the schema cannot say it."""
    times: Counter[str] = Counter()
    for (_, names), number in found.excused.items():
        times.update(dict.fromkeys(names.split(", "), number))
    return [{"rule": rule.name, "refused": times[rule.name], "why": rule.why} for rule in RULES]


if __name__ == "__main__":
    main()
