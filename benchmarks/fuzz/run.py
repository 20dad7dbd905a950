"""One run of Schemathesis: description, configuration, process, and what its report says."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.fuzz.lab import Ids, with_ids_of
from service.api.openapi import JSON, operations

ROOT = Path(__file__).parents[2]
PATH_IDS = {
    "campaign_id": "cmp",
    "proposal_id": "prp",
    "film_id": "flm",
    "instrument_id": "ins",
    "calibration_id": "cal",
    "sample_id": "smp",
    "retraction_id": "rtr",
    "attachment_id": "att",
    "model_version_id": "mdl",
    "replay_id": "rpl",
    "prior_data_id": "prd",
}
"""Parameters, and the first letters of ids that they take."""
BODY_IDS = {
    "campaign_id": "cmp",
    "measurements[*].film_id": "flm",
    "compositions[*].film_id": "flm",
    "attachments[*].film_id": "flm",
}
BODY_WORDS = {
    "property": "properties",
    "unit": "units",
    "measurements[*].property": "properties",
    "rows[*].property": "properties",
    "rows[*].unit": "units",
    "measurements[*].unit": "units",
    "readings[*].unit": "units",
}
WORDS = {
    "properties": ["anomalous_hall", "coercivity"],
    "units": ["uohm cm", "mT", "gauss"],
}
LIKELY = 0.6
"""Share of requests in which a place is filled from the lab rather than at random. Leases are known by links alone."""
CONFIG = """
hooks = "benchmarks.fuzz.hooks"
continue-on-failure = true
request-timeout = 60
suppress-health-check = ["all"]

[checks.missing_required_header]
expected-statuses = [400, 422, 428]

[phases.stateful]
max-steps = 12

"""


@dataclass(frozen=True)
class Outcome:
    """What a run found."""

    cases: Counter[tuple[str, str]]
    """Requests by operation and phase."""
    statuses: Counter[int]
    checks: Counter[str]
    """How often each check was made."""
    failures: list[dict[str, Any]]
    errors: list[Any]
    excused: Counter[tuple[str, str]]
    """Refusals by operation and rule."""
    report: dict[str, Any]
    described: frozenset[str]
    """Operations of the description."""


def fuzz(
    url: str, ids: Ids, folder: Path, *, key: str, examples: int, seed: int, phases: str, only: str | None = None
) -> Outcome:
    """Run Schemathesis with every check against a Filmloop.

    Args:
        url: Of the API.
        ids: Of its lab.
        folder: For what the run reads and writes.
        key: To ask with, good for everything.
        examples: Cases per operation of the phases that draw.
        seed: Of all draws.
        phases: Comma separated.
        only: Pattern of paths; all if none.
    """
    document = httpx.get(f"{url}/openapi.json", timeout=30).raise_for_status().json()
    (folder / "openapi.json").write_text(json.dumps(with_ids_of(ids, _without_files(document))))
    (folder / "ids.json").write_text(json.dumps(ids))
    said = {"Authorization": f"Bearer {key}"}
    archive = httpx.get(f"{url}/v1/campaigns/{ids['cmp'][0]}/exports/archive", headers=said, timeout=60)
    archive.raise_for_status()
    (folder / "campaign.zip").write_bytes(archive.content)
    (folder / "schemathesis.toml").write_text(CONFIG + _dictionaries(ids))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "schemathesis.toml"), "run"]
    command += [str(folder / "openapi.json"), "--url", url, "--phases", phases, "--max-examples", str(examples)]
    command += ["--header", f"Authorization: {said['Authorization']}"]
    command += ["--seed", str(seed), "--no-color", "--generation-database", "none", "--report", "ndjson,json"]
    command += ["--report-ndjson-path", str(folder / "run.ndjson"), "--report-json-path", str(folder / "run.json")]
    command += [] if only is None else ["--include-path-regex", only]
    environment = os.environ | {"FILMLOOP_FUZZ": str(folder), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'client'}"}
    with (folder / "output.txt").open("wb") as output:
        subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
    return read(folder)


def _without_files(document: dict[str, Any]) -> dict[str, Any]:
    """The description without examples of files, which the hooks make."""
    for _, _, operation in operations(document):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if kind != JSON:
                content.pop("examples", None)
    return document


def read(folder: Path) -> Outcome:
    """What a run wrote."""
    cases: Counter[tuple[str, str]] = Counter()
    statuses: Counter[int] = Counter()
    checks: Counter[str] = Counter()
    failures: list[dict[str, Any]] = []
    with (folder / "run.ndjson").open() as lines:
        for line in lines:
            scenario = json.loads(line).get("ScenarioFinished")
            recorder = scenario["recorder"] if scenario else {}
            for name, told in recorder.get("cases", {}).items():
                case = told["value"]
                operation = f"{case['method']} {case['path']}"
                cases[operation, scenario["phase"]] += 1
                response = recorder.get("interactions", {}).get(name, {}).get("response") or {}
                statuses[response.get("status_code", 0)] += 1
                for check in recorder.get("checks", {}).get(name, ()):
                    checks[check["name"]] += 1
                    if check["status"] == "failure":
                        failures.append({"operation": operation, "phase": scenario["phase"], **check})
    refused = folder / "refused.jsonl"
    told = [json.loads(line) for line in refused.read_text().splitlines()] if refused.exists() else []
    excused = Counter((t["operation"], t["rule"]) for t in told if t["rule"] is not None)
    report = json.loads((folder / "run.json").read_text())
    document = json.loads((folder / "openapi.json").read_text())
    described = frozenset(f"{method.upper()} {path}" for path, method, _ in operations(document))
    return Outcome(cases, statuses, checks, failures, report["errors"], excused, report, described)


def _dictionaries(ids: Ids) -> str:
    """Where ids and words of the lab are tried, as Schemathesis' configuration has it."""
    named: dict[str, list[Any]] = {kind: ids[kind] for kind in {*PATH_IDS.values(), *BODY_IDS.values()} if kind in ids}
    lines = [f"[dictionaries.{name}]\nvalues = {json.dumps(values)}" for name, values in (named | WORDS).items()]
    places = {f"path.{name}": kind for name, kind in PATH_IDS.items()}
    places |= {f"body.{place}": name for place, name in (BODY_IDS | BODY_WORDS).items()}
    lines += ["[parameters]"]
    lines += [
        f'"{place}" = {{ dictionary = "{name}", probability = {LIKELY} }}'
        for place, name in places.items()
        if name in named or name in WORDS
    ]
    return "\n".join(lines) + "\n"
