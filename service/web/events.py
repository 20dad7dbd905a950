"""What happened, in words."""

from collections.abc import Mapping
from typing import Any

from service.operations.events import Event
from service.web import catalogue
from service.web.formats import DASH


class _Told(dict[str, Any]):
    """What an event tells; what an older one did not tell yet is a dash."""

    def __missing__(self, key: str) -> str:
        return DASH


def event_text(language: str, event: Event) -> str:
    """One line for a person; an event of a type that has no words yet is told by its type."""
    key = f"event.{event.type}"
    if not catalogue.has(key):
        return event.type
    return catalogue.text(language, key).format_map(_in_words(language, event.data))


def _in_words(language: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    told = _Told(data)
    if (key := f"outcome.{told['outcome']}") and catalogue.has(key):
        told["outcome"] = catalogue.text(language, key)
    return told
