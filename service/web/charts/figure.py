"""A chart with what it needs beside the drawing: a caption, and its numbers as a table for whoever cannot see it."""

from dataclasses import dataclass, field

from markupsafe import Markup


@dataclass(frozen=True)
class Table:
    """The numbers of a chart."""

    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    links: tuple[str | None, ...] = ()
    """Where the first cell of each row leads; none if there are none."""


@dataclass(frozen=True)
class Figure:
    """A chart, its caption and its numbers."""

    drawing: Markup
    caption: str
    table: Table = field(default_factory=Table)
    wide: bool = False
    """Whether it wants the whole width of the page."""
