"""Elements of SVG as safe markup: names and values are escaped, numbers are short."""

from collections.abc import Iterable
from itertools import count

from markupsafe import Markup, escape

Value = str | float | int | None


def number(value: float) -> str:
    """A coordinate with at most two decimals: a hundredth of a pixel is never seen."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def element(name: str, *children: str | Markup, **attributes: Value) -> Markup:
    """One element.

    Args:
        name: Its tag.
        children: What is inside; text is escaped, markup is not.
        attributes: `class_` is `class`, underscores become hyphens, None leaves the attribute out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(escape(child) for child in children)
    return Markup(f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>")  # noqa: S704 - escaped


def _value(value: str | float) -> str:
    return str(escape(value)) if isinstance(value, str) else number(value)


def group(children: Iterable[Markup], **attributes: Value) -> Markup:
    """Elements that belong together; nothing if there are none."""
    held = list(children)
    return element("g", *held, **attributes) if held else Markup("")


def path(points: Iterable[tuple[float, float]], *, closed: bool = False) -> str:
    """The `d` of a line through points."""
    drawn = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return f"M{drawn}{'Z' if closed else ''}" if drawn else ""


def text(words: str, x: float, y: float, **attributes: Value) -> Markup:
    """Words at a point; `text_anchor` says which of their ends is there."""
    return element("text", words, x=x, y=y, **attributes)


def told(mark: Markup, words: str, link: str | None = None) -> Markup:
    """A mark that says its numbers to whoever points at it, and leads somewhere if it has a link."""
    inside = (element("title", words), mark)
    return element("a", *inside, href=link, class_="mark") if link else element("g", *inside, class_="mark")


def picture(
    children: Iterable[Markup], *, width: float, height: float, name: str, about: str = "", kind: str = ""
) -> Markup:
    """A whole chart: it takes the width it is given, and says to a screen reader what it shows.

    Args:
        children: What is drawn.
        width: In units of the drawing; about a pixel on a desktop.
        height: Likewise.
        name: What the chart is, in a few words.
        about: What there is to see in it, in a sentence.
        kind: A further class.
    """
    inside = [element("title", name), *([element("desc", about)] if about else []), *children]
    return element(
        "svg",
        *inside,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(width)} {number(height)}",
        class_=f"chart {kind}".strip(),
        role="group",
        aria_label=name,
    )


_numbers = count(1)


def fresh_id(prefix: str) -> str:
    """An id that nothing else on the page has: for what one part of a drawing says of another."""
    return f"{prefix}-{next(_numbers)}"
