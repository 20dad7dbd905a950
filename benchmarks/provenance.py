"""Where and with what a figure was measured; every benchmark prints and stores this beside its figures."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("torch", "botorch", "gpytorch", "numpy", "scipy", "sqlalchemy", "psycopg")


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def _commit() -> str:
    root = Path(__file__).parents[1]
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607  (git of the caller's own PATH)
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def provenance() -> dict[str, object]:
    """Machine, load, commit, time and library versions of this run."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "commit": _commit(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def heading(study: str) -> str:
    """One printed block that says where the figures below it come from."""
    facts = provenance()
    return "\n".join([f"# {study}", *(f"{key}: {value}" for key, value in facts.items()), ""])


def markdown_table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows with the same keys as a Markdown table, four digits each."""
    columns = list(rows[0])
    cells = [[f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in [columns, ["---"] * len(columns), *cells])


def write_study(study: str, facts: Mapping[str, object], rows: Sequence[Mapping[str, object]]) -> None:
    """Keep a table with its facts as `results/<study>/<study>.json` and `.md`."""
    folder = Path(__file__).parent / "results" / study
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{study}.json").write_text(json.dumps({**facts, "rows": list(rows)}, indent=1) + "\n")
    where = "\n".join(f"- {key}: {value}" for key, value in facts.items())
    page = f"# {study.replace('_', ' ').capitalize()}\n\n{where}\n\n{markdown_table(rows)}\n"
    (folder / f"{study}.md").write_text(page)
