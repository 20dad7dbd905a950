"""What the service says by itself, in the visitor's language.

The record and the API keep such texts in English: reasons, advice, faults. Each `said.…` of the catalogue has as its
English the very words of the code, with places for what it fills in. A text is known by them, and said in the other
language with the same values. What is not known stays English, and is marked as such.
"""

import functools
import re
import string
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from service.web import catalogue

PREFIX = "said."
PARTS = "said.part."
"""Said within other texts only: too short to be told from whatever else a text may be."""
NUMBERS = frozenset({"n", "m"})
"""Places of whole numbers."""
WHOLE = "text"
"""The place of a whole text of the service."""
LONG = frozenset({WHOLE, "rules"})
"""Places of what may itself have several clauses."""
PARTLY = frozenset({"known", "flight", "trade_offs", "counts", "films", "bound", "why"})
"""Places of parts."""
LONGEST = 1000
"""Characters up to which a text is looked up: whoever made a longer one, it is none of ours."""
_CLAUSES = re.compile("; ")
_SENTENCES = re.compile(r"(?<=\.) (?=[A-Z])")
_REACHES_OVER = re.compile(r"; |\. [A-Z]|, got |, the campaign's unit of |, with .* kept within limits")
"""No other value has it: another phrase begins there."""


class Piece(NamedTuple):
    """A stretch of text."""

    text: str
    language: str | None = None
    """Where it is not the visitor's."""


class _Phrase(NamedTuple):
    key: str
    literals: tuple[str, ...]
    """What stands before, between and after its places."""
    places: tuple[str, ...]

    def values(self, text: str) -> dict[str, str] | None:
        """What a text has in the places; None if it is another one. Each place ends where it first may."""
        first, *others = self.literals
        if not others:
            return {} if text == first else None
        if not (text.startswith(first) and text.endswith(others[-1])):
            return None
        found = dict[str, str]()
        at, last = len(first), len(text) - len(others[-1])
        for place, literal in zip(self.places, others, strict=True):
            end = last if len(found) == len(others) - 1 else text.find(literal, at + 1, last)
            value = text[at : max(end, at)]
            beyond = place not in LONG and _REACHES_OVER.search(value)
            if not value or beyond or (place in NUMBERS and not value.isdigit()):
                return None
            found[place], at = value, end + len(literal)
        return found


def said(language: str, text: str) -> tuple[Piece, ...]:
    """A text of the service in a language, as far as that is known.

    Args:
        language: The visitor's.
        text: As the code wrote it, in English.
    """
    if language == catalogue.DEFAULT or not text:
        return (Piece(text),)
    if len(text) > LONGEST:
        return (Piece(text, catalogue.DEFAULT),)
    return _said(language, text)


def shown(text: str, language: str) -> Markup:
    """The same for a page: what stays English is marked for those who listen to it."""
    return Markup("").join(
        escape(piece.text)
        if piece.language is None
        else Markup('<span lang="{}">{}</span>').format(piece.language, piece.text)
        for piece in said(language, text)
    )


def plain(language: str, text: str) -> str:
    """The same where marks have no place."""
    return "".join(piece.text for piece in said(language, text))


@functools.lru_cache(maxsize=2048)
def _said(language: str, text: str) -> tuple[Piece, ...]:
    if found := _one(language, text, _phrases(parts=False)):
        return found
    for between, joint in ((_CLAUSES, catalogue.text(language, "phrases.semicolon")), (_SENTENCES, "")):
        if len(several := between.split(text)) > 1:
            return _joined([_said(language, one) for one in several], joint)
    return (Piece(text, catalogue.DEFAULT),)


def _one(language: str, text: str, phrases: Sequence[_Phrase]) -> tuple[Piece, ...] | None:
    """A text that is one of these phrases; None if it is none."""
    for phrase in phrases:
        values = phrase.values(text)
        if values is not None:
            return _filled(language, phrase.key, values)
    return None


def _filled(language: str, key: str, values: dict[str, str]) -> tuple[Piece, ...]:
    template = catalogue.words()[key][language]
    pieces: list[Piece] = []
    for literal, place, *_ in string.Formatter().parse(str(template)):
        pieces.append(Piece(literal))
        if place is not None:
            pieces += _value(language, place, values[place])
    return _merged(pieces)


def _value(language: str, place: str, value: str) -> Sequence[Piece]:
    """What stands in a place: words of the catalogue where it has them for it, else the value itself."""
    if place == WHOLE:
        return _said(language, value)
    if place in PARTLY and (found := _parts(language, value)):
        return found
    known = (key for key in (f"{place}.{value}", f"said.{place}.{value}") if catalogue.has(key))
    return [Piece(next((catalogue.text(language, key) for key in known), value))]


def _parts(language: str, value: str) -> tuple[Piece, ...] | None:
    """One part, or several with `and` between them; None if it is neither."""
    phrases = _phrases(parts=True)
    found = [_one(language, part, phrases) for part in value.split(" and ")]
    known = [part for part in found if part is not None]
    if len(known) == len(found):
        return _joined(known, catalogue.text(language, "phrases.and"))
    return _one(language, value, phrases)


def _joined(parts: Sequence[tuple[Piece, ...]], joint: str) -> tuple[Piece, ...]:
    pieces = list(parts[0])
    for part in parts[1:]:
        pieces += [Piece(joint), *part]
    return _merged(pieces)


def _merged(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Neighbours of one language as one."""
    merged: list[Piece] = []
    for piece in pieces:
        if merged and merged[-1].language == piece.language:
            merged[-1] = Piece(merged[-1].text + piece.text, piece.language)
        elif piece.text:
            merged.append(piece)
    return tuple(merged)


@functools.cache
def _phrases(*, parts: bool) -> tuple[_Phrase, ...]:
    """Every phrase, or every part of one; the surest first, which has the most words of its own."""
    found = [_phrase(key) for key in catalogue.words() if key.startswith(PREFIX) and key.startswith(PARTS) is parts]
    return tuple(sorted(found, key=lambda phrase: -sum(map(len, phrase.literals))))


def _phrase(key: str) -> _Phrase:
    parts = list(string.Formatter().parse(str(catalogue.words()[key][catalogue.DEFAULT])))
    ends_in_words = parts[-1][1] is None
    literals = tuple(text for text, *_ in parts) + (() if ends_in_words else ("",))
    return _Phrase(key, literals, tuple(place for _, place, *_ in parts if place is not None))
