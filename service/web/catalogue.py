"""Every word of the pages in every language, from `catalogue/*.json`: by key, English and Japanese side by side."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LANGUAGES = {"en": "English", "ja": "日本語"}
"""By code of BCP 47: the name of each language in itself."""
DEFAULT = "en"
FOLDER = Path(__file__).with_name("catalogue")

Words = str | list[str]
"""A text with places in braces; or two, for one and for more, chosen by the value `n`."""


@functools.cache
def words() -> Mapping[str, Mapping[str, Words]]:
    """All texts, by key and language.

    Raises:
        ValueError: If two files give the same key.
    """
    found: dict[str, Mapping[str, Words]] = {}
    for path in sorted(FOLDER.glob("*.json")):
        said = json.loads(path.read_text(encoding="utf-8"))
        if twice := sorted(found.keys() & said.keys()):
            raise ValueError(f"{path.name} gives {', '.join(twice)} again")
        found |= said
    return found


def text(language: str, key: str, /, **values: Any) -> str:  # noqa: ANN401 - whatever has a text
    """A text in a language, its places filled.

    Raises:
        KeyError: If there is no such text; a page must not go out with a hole.
    """
    said = words()[key][language]
    if isinstance(said, list):
        said = said[0] if values.get("n") == 1 else said[1]
    return said.format(**values) if values else said


def has(key: str) -> bool:
    """Whether there is a text of this key; for words that come out of the record, such as types of events."""
    return key in words()


def chosen(cookie: str | None, accepted: str | None) -> str:
    """The language of a visitor: what was chosen by the switch, else the first that the browser accepts and we have."""
    if cookie in LANGUAGES:
        return cookie
    return next((code for code in _by_preference(accepted or "") if code in LANGUAGES), DEFAULT)


def _by_preference(accepted: str) -> list[str]:
    """Primary codes of an `Accept-Language` header, the most wanted first (RFC 9110)."""
    wanted = []
    for place, part in enumerate(accepted.split(",")):
        tag, _, parameter = part.strip().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=") or 1.0)
        except ValueError:
            weight = 0.0
        if weight > 0.0:
            wanted.append((-weight, place, tag.strip().lower().split("-")[0]))
    return [code for _, _, code in sorted(wanted)]
