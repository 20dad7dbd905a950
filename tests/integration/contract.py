"""The API's own description, to hold its answers against."""

import functools
import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from service.api.openapi import operations
from service.app import create_app
from service.settings import Settings


@functools.cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return create_app(Settings()).openapi()


@functools.cache
def _operations() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    """Method, pattern and description of each operation; those with fewer parameters first."""
    found = sorted(operations(document()), key=lambda o: o[0].count("{"))
    return [(method, re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), said) for path, method, said in found]


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """The operation that a request is for, if there is one."""
    for known, pattern, said in _operations():
        if known == method.lower() and pattern.fullmatch(path):
            return said
    return None


def check_declared(response: httpx.Response) -> None:
    """Hold an answer's status and media type against what its operation says of itself."""
    path = response.request.url.raw_path.split(b"?")[0].decode()
    said = operation_of(response.request.method, path)
    if said is None:
        return
    status, media_type = str(response.status_code), response.headers.get("content-type", "").split(";")[0]
    assert status in said["responses"], f"{said['operationId']} does not declare {status}"
    if media_type:
        assert media_type in said["responses"][status].get("content", {}), f"{said['operationId']}: {media_type}"


def check_schema(schema: dict[str, Any], value: object) -> None:
    """Hold a JSON value against a schema of the document."""
    components = {"components": document()["components"]}
    Draft202012Validator(components | schema).validate(value)
