"""What a row of the matrix found, and the table of all rows."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.provenance import markdown_table

FOLDER = Path(__file__).parents[1] / "results" / "faults"


@dataclass(frozen=True)
class Found:
    """What one run of a check counted."""

    count: int
    """Faults that were injected, or events that were looked at."""
    wrong: Mapping[str, int]
    """What must not be, by kind."""
    figure: str
    """In words, for the table."""

    @property
    def violations(self) -> int:
        """All kinds together."""
        return sum(self.wrong.values())


@dataclass(frozen=True)
class Row:
    """One row of the matrix with the variants that must fail."""

    row: int
    fault: str
    injected: str
    real: Found
    naive: Mapping[str, Found]
    facts: Mapping[str, Any] = field(default_factory=dict)
    """`seed`, `seconds`, and as `run` the machine, commit and time when it began."""

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "row": self.row,
            "fault": self.fault,
            "injected": self.injected,
            "count": self.real.count,
            "violations": self.real.violations,
            "figure": self.real.figure,
            "kinds": dict(self.real.wrong),
            "naive": {
                name: {"count": n.count, "violations": n.violations, "figure": n.figure, "kinds": dict(n.wrong)}
                for name, n in self.naive.items()
            },
            **self.facts,
        }


def keep(rows: Iterable[Row], folder: Path = FOLDER) -> str:
    """Store rows among those of other runs, each with its machine and commit; return the table of all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "faults.json"
    kept = {row["row"]: row for row in json.loads(path.read_text())["rows"]} if path.exists() else {}
    for row in rows:
        kept[row.row] = row.as_json()
    ordered = [kept[number] for number in sorted(kept)]
    path.write_text(json.dumps({"rows": ordered}, indent=1, ensure_ascii=False) + "\n")
    page = f"# Faults\n\n{NOTE}\n\n{table(ordered)}\n\n{_runs(ordered)}\n"
    (folder / "faults.md").write_text(page)
    return table(ordered)


NOTE = (
    "Each row is one command, `python -m benchmarks.faults --rows N`. A naive variant lacks one care of the service, "
    "and must fail the same check.\n`kill -9` ends processes, not the machine: it does not test the loss of power."
)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Stored rows as Markdown."""
    return markdown_table(
        [
            {
                "#": row["row"],
                "fault": row["fault"],
                "injected": row["injected"],
                "count": row["count"],
                "violations": row["violations"],
                "figure": row["figure"],
                "naive variants: violations": "; ".join(
                    f"{name}: {_kinds(found)}" for name, found in row["naive"].items()
                ),
            }
            for row in rows
        ]
    )


def _kinds(found: Mapping[str, Any]) -> str:
    """What went wrong, how often, and how often it was tried."""
    wrong = ", ".join(f"{count} {kind}" for kind, count in found["kinds"].items() if count)
    return f"{wrong or 'none'} (count {found['count']})"


def _runs(rows: Sequence[Mapping[str, Any]]) -> str:
    return markdown_table(
        [
            {
                "#": row["row"],
                "seed": row.get("seed", ""),
                "seconds": row.get("seconds", ""),
                "commit": row["run"]["commit"],
                "at": row["run"]["at"],
                "machine": f"{row['run']['cpu']}, {row['run']['cores']} cores, load {row['run']['load_1min']}",
            }
            for row in rows
        ]
    )
