"""What Schemathesis is told about Filmloop: bodies that no schema describes, new keys, rules that no schema can say.

Schemathesis imports it; `FILMLOOP_FUZZ` is the folder of the run.
"""

import csv
import io
import itertools
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure

from benchmarks.fuzz.rules import GOOD_FILES, HEADERS, rule_of
from service.api.dependencies import KEY_PATTERN

Row = dict[str, Any]
Writer = Callable[[list[Row]], bytes]
FOLDER = Path(os.environ["FILMLOOP_FUZZ"])
IDS: Mapping[str, list[str]] = json.loads((FOLDER / "ids.json").read_text())
LONGEST = 2000
"""Characters of a body that are noted."""
AS_DRAWN = 8
"""One key in so many is left as it was drawn; a schema cannot say that every request needs a new one."""
_numbers = itertools.count(1)


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:  # noqa: ARG001 - as it is called
    """Give a request a key of its own, where it has a good one, and its file the columns of its address."""
    if isinstance(case.body, File) and case.operation.path.endswith("/prior-data/files"):
        case.body = File.of([_from_elsewhere(row) for row in case.body.rows], case.body.write)
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch(KEY_PATTERN, key) and (number := next(_numbers)) % AS_DRAWN:
        case.headers["Idempotency-Key"] = f"fuzz-{os.getpid()}-{number}"


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case, response: Response) -> bool:  # noqa: ARG001
    """Keep a failure, unless a request was refused for a rule that JSON Schema cannot say; each is noted."""
    kind, body = type(failure).__name__, _body(response)
    rule = _of_the_request(failure, case) or rule_of(kind, body)
    line = {"operation": case.operation.label, "failure": kind, "rule": rule, "problem": body}
    line["sent"] = repr(case.body)[:LONGEST]
    with (FOLDER / "refused.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    return rule is None


def _of_the_request(failure: Failure, case: Case) -> str | None:
    """Name of the rule that a request shows which was taken."""
    if _is_good_file(failure, case):
        return GOOD_FILES.name
    unknown = "Invalid component: in header - object with unexpected properties" in failure.message
    return HEADERS.name if unknown and type(failure).__name__ == HEADERS.failure else None


def _is_good_file(failure: Failure, case: Case) -> bool:
    """Whether what was taken for wrong is a file as the hooks make it, and nothing else."""
    wrong = re.search(r"Invalid component: (in body - custom media type: \S+|positive test case)$", failure.message)
    return type(failure).__name__ == GOOD_FILES.failure and isinstance(case.body, File) and wrong is not None


def _body(response: Response) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(response.content)
    except ValueError:
        return {}
    return found


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "film_id": st.sampled_from(IDS["flm"]),
            "device": st.integers(0, 5),
            "property": st.sampled_from(["anomalous_hall", "coercivity"]),
            "unit": st.sampled_from(["uohm cm", "mT", "gauss"]),
            "value": st.floats(-1e6, 1e6),
            "measured_at": st.sampled_from(["2026-03-03T12:00:00Z", "2026-03-04T12:00:00+01:00"]),
        }
    ),
    min_size=1,
    max_size=4,
)


class File(bytes):
    """A file of readings that knows them."""

    rows: list[Row]
    write: Writer

    @classmethod
    def of(cls, rows: list[Row], write: Writer) -> "File":
        """Readings as a file."""
        file = cls(write(rows))
        file.rows, file.write = rows, write
        return file


def _from_elsewhere(row: Row) -> Row:
    """A reading as a file of prior data has it: with compositions in place of devices."""
    kept = {name: row[name] for name in ("property", "unit", "value")}  # the same if it was done before
    return kept | {"x_Fe": 0.5, "x_Co": 0.25, "x_Ni": 0.25, "process_anneal_c": 450.0}


def _as_lines(rows: list[Row]) -> bytes:
    return "".join(json.dumps(_nested(row)) + "\n" for row in rows).encode()


def _nested(row: Row) -> Row:
    """Where a table has columns, a line has members."""
    groups = {"x_": "composition", "process_": "process"}
    found = {name: value for name, value in row.items() if not name.startswith(tuple(groups))}
    for prefix, member in groups.items():
        inner = {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}
        found |= {member: inner} if inner else {}
    return found


def _as_table(rows: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _as_parquet(rows: list[Row]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


WRITERS = {"application/x-ndjson": _as_lines, "text/csv": _as_table, "application/vnd.apache.parquet": _as_parquet}
for kind, writer in WRITERS.items():
    schemathesis.openapi.media_type(kind, ROWS.map(lambda rows, write=writer: File.of(rows, write)))
schemathesis.openapi.media_type("application/zip", st.just((FOLDER / "campaign.zip").read_bytes()))
