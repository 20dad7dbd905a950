"""One log for all processes: what our code says (structlog) and what libraries say (logging) in one shape.

Readable lines for people, or one JSON object per line for machines. What is bound to the context (`request_id`,
`job_id`, …) appears on every line that is written while it is bound, in this thread or task only.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog
from structlog.typing import Processor

from service.settings import Settings

QUIET = ("alembic", "kombu", "httpx", "httpcore", "matplotlib", "uvicorn.access")
"""Libraries whose everyday lines say nothing to an operator; their warnings are kept."""


def configure_logging(settings: Settings) -> None:
    """Set up this process' log on standard error; calling it again replaces the former set-up."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # loggers made at import time must follow a later set-up
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_last_steps(settings.log.as_json)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log.level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # uvicorn brings handlers of its own
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    logging.captureWarnings(capture=True)


def _last_steps(as_json: bool) -> list[Processor]:
    if as_json:
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # a local may be a secret
        return [structlog.processors.ExceptionRenderer(frames), structlog.processors.JSONRenderer(default=str)]
    colours = sys.stderr.isatty()
    return [
        structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0)
    ]


_told: ContextVar[dict[str, str] | None] = ContextVar("filmloop_told", default=None)


@contextmanager
def told() -> Iterator[dict[str, str]]:
    """Collect what is said by `tell` inside, also in threads that work for it: for one line at the end."""
    found: dict[str, str] = {}
    token = _told.set(found)
    try:
        yield found
    finally:
        _told.reset(token)


def tell(**values: str) -> None:
    """Say something, such as the job that a request asked for, for the line that its `told` writes; if there is one."""
    found = _told.get()
    if found is not None:
        found.update(values)


@contextmanager
def bound(**values: str | int) -> Iterator[None]:
    """Put these values (a request's or a job's id) on every line logged inside; nested use adds to the outer one."""
    with structlog.contextvars.bound_contextvars(**values):
        yield
