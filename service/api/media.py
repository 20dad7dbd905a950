"""Media types in which measurements come, and bodies in any of them."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
ZIP = "application/zip"
BATCH_TYPES = (NDJSON, CSV, PARQUET)
"""Of a measurement batch, beside JSON."""


def media_type_of(request: Request) -> str:
    """What a body is said to be; JSON if it is none of `BATCH_TYPES`."""
    said = request.headers.get("content-type", "").split(";")[0].strip().lower()
    return said if said in BATCH_TYPES else JSON


def body_of(schema: str, rows_as: Mapping[str, str]) -> dict[str, Any]:
    """The description of a body that a route reads itself.

    Args:
        schema: Name of what it is as JSON.
        rows_as: What it is in other forms.
    """
    others = {kind: {"schema": {"type": "string", "description": said}} for kind, said in rows_as.items()}
    content = {JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}, **others}
    return {"required": True, "content": content}
