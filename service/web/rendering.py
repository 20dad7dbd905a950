"""From a template and what it shows to an answer, in the visitor's language and theme."""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import HTTPConnection

from service.web import catalogue, colours, formats, phrases
from service.web.events import event_text
from service.web.navigation import main_pages

HERE = Path(__file__).parent
STATIC = HERE / "static"
THEMES = ("auto", "light", "dark")
LANGUAGE_COOKIE = "filmloop_language"
THEME_COOKIE = "filmloop_theme"


def render(request: HTTPConnection, template: str, status: int = 200, **shown: Any) -> HTMLResponse:  # noqa: ANN401
    """Answer with a page, or with a part of one.

    Args:
        request: Who asks; its cookies and headers choose language and theme.
        template: Name of a file under `templates`.
        status: Of the answer.
        **shown: What the template shows.
    """
    html = environment().get_template(template).render(**_surroundings(request), **shown)
    return HTMLResponse(html, status_code=status)


def language_of(request: HTTPConnection) -> str:
    """The visitor's language."""
    return catalogue.chosen(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))


def words_of(request: HTTPConnection) -> Callable[..., str]:
    """The catalogue in the visitor's language, as the templates have it as `t`."""
    return functools.partial(catalogue.text, language_of(request))


@functools.cache
def environment() -> Environment:
    """The templates: everything is escaped, and a name that does not exist is an error."""
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.policies["json.dumps_kwargs"] = {}  # as it was written: people read it
    found.filters |= {
        "number": formats.number,
        "pm": formats.plus_minus,
        "target": formats.target,
        "count": formats.count,
        "formula": formats.formula,
        "instant": formats.instant,
        "trade": formats.trade,
        "short": formats.short_id,
        "bands": formats.bands,
        "mixed": colours.mixed,
        "percent": formats.percent,
        "pointer": formats.pointer,
        "said": phrases.shown,
        "path": functools.partial(quote, safe=""),
    }
    found.globals |= {
        "static": static,
        "has_words": catalogue.has,
        "languages": catalogue.LANGUAGES,
        "themes": THEMES,
        "event_text": event_text,
        "navigation": main_pages,
        "element_colours": colours.element_colours,
    }
    return found


def prepare() -> None:
    """Read and compile every template, so that no visitor waits for it."""
    for name in environment().list_templates():
        environment().get_template(name)


def static(name: str) -> str:
    """Address of a static file; it changes with the file, so that browsers may keep it for ever."""
    return f"/static/{name}?v={_digest(name)}"


@functools.cache
def _digest(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def _surroundings(request: HTTPConnection) -> dict[str, Any]:
    theme = request.cookies.get(THEME_COOKIE)
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return {
        "t": words_of(request),
        "lang": language_of(request),
        "theme": theme if theme in THEMES else "auto",
        "here": here,
        "visitor": request.scope.get("state", {}).get("caller"),
    }


def is_part(request: Request) -> bool:
    """Whether the browser asks for a part of a page it has."""
    return request.headers.get("hx-request") == "true"
