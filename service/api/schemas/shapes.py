"""Rules between the fields of a body as JSON Schema says them: pydantic checks them, but cannot write them down.

Each is the `json_schema_extra` of a model, so that whoever generates requests from the description knows what is taken.
"""

from typing import Any

Shape = dict[str, Any]


def exactly_one(**kinds: str) -> Shape:
    """Exactly one of these fields is given and not null; `kinds` are their types in JSON."""
    return {"oneOf": [given(**{name: kind}) for name, kind in kinds.items()]}


def at_most_one(**kinds: str) -> Shape:
    """One of these fields or none is given and not null."""
    return {"oneOf": [*exactly_one(**kinds)["oneOf"], absent(*kinds)]}


def given(**kinds: str) -> Shape:
    """Each of these fields is given and not null."""
    return {"required": list(kinds), "properties": {name: {"type": kind} for name, kind in kinds.items()}}


def absent(*names: str) -> Shape:
    """None of these fields is given, but as null."""
    return {"properties": {name: {"type": "null"} for name in names}}


def either(*shapes: Shape) -> Shape:
    """At least one of the shapes."""
    return {"anyOf": list(shapes)}


def every(*shapes: Shape) -> Shape:
    """All of the shapes."""
    return {"allOf": list(shapes)}


def among(name: str, *values: str) -> Shape:
    """A field has one of these values."""
    return {"required": [name], "properties": {name: {"enum": list(values)}}}
