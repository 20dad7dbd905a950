"""What Schemathesis is told about Filmloop: bodies that no schema describes, new keys, rules that no schema can say.

Schemathesis imports it; `FILMLOOP_FUZZ` is the folder of the run.
"""

import csv
import io
import itertools
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure

from benchmarks.fuzz.rules import rule_of
from service.api.dependencies import KEY_PATTERN

FOLDER = Path(os.environ["FILMLOOP_FUZZ"])
IDS: Mapping[str, list[str]] = json.loads((FOLDER / "ids.json").read_text())
LONGEST = 2000
"""Characters of a body that are noted."""
AS_DRAWN = 8
"""One key in so many is left as it was drawn; a schema cannot say that every request needs a new one."""
_numbers = itertools.count(1)


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:  # noqa: ARG001 - as it is called
    """Give a request a key of its own, where it has a good one."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch(KEY_PATTERN, key) and (number := next(_numbers)) % AS_DRAWN:
        case.headers["Idempotency-Key"] = f"fuzz-{os.getpid()}-{number}"


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case, response: Response) -> bool:  # noqa: ARG001
    """Keep a failure, unless a request was refused for a rule that JSON Schema cannot say; each is noted."""
    kind, body = type(failure).__name__, _body(response)
    rule = rule_of(kind, body)
    line = {"operation": case.operation.label, "failure": kind, "rule": rule, "problem": body}
    line["sent"] = repr(case.body)[:LONGEST]
    with (FOLDER / "refused.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    return rule is None


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


def _as_lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _as_table(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _as_parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


schemathesis.openapi.media_type("application/x-ndjson", ROWS.map(_as_lines))
schemathesis.openapi.media_type("text/csv", ROWS.map(_as_table))
schemathesis.openapi.media_type("application/vnd.apache.parquet", ROWS.map(_as_parquet))
schemathesis.openapi.media_type("application/zip", st.just((FOLDER / "campaign.zip").read_bytes()))
