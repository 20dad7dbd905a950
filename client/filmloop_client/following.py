"""A campaign's events as they happen, each once, across lost connections and restarts of the service."""

import json
import logging
import time
from collections.abc import Iterable, Iterator

import httpx

from filmloop_client.answers import Event
from filmloop_client.errors import TooManyRequests, Unavailable, Unreachable
from filmloop_client.transport import Transport

logger = logging.getLogger("filmloop.client")

_SILENCE_S = 60.0
"""The service says at least every 15 s that it is there."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0


def follow(transport: Transport, campaign_id: str, after: int, give_up_s: float | None) -> Iterator[Event]:
    """Every event above a number, those to come included.

    Args:
        transport: The connection.
        campaign_id: The campaign.
        after: Number of the last event that is known.
        give_up_s: How long to try again while nobody answers; None for ever.

    Raises:
        Unreachable: If nobody answered for `give_up_s`.
        FilmloopError: If the service refuses, e.g. because there is no such campaign.
    """
    heard, failures = time.monotonic(), 0
    while True:
        pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0**failures)
        try:
            for event in _connected(transport, campaign_id, after):
                heard, failures = time.monotonic(), 0
                if event is not None:
                    after = event.seq
                    yield event
                    heard = time.monotonic()
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError):
            raise  # the caller's mistake: it will not get better
        except httpx.TransportError as error:
            reason = f"{type(error).__name__}: {error}"
        except (Unavailable, TooManyRequests) as error:
            reason, pause = str(error), max(pause, error.retry_after_s or 0.0)
        else:
            reason = "the service ended the stream"
        if give_up_s is not None and time.monotonic() + pause > heard + give_up_s:
            raise Unreachable(f"no events of {campaign_id} within {give_up_s:g} s", detail=reason)
        logger.info("events of %s after %d: %s; again in %.1f s", campaign_id, after, reason, pause)
        time.sleep(pause)
        failures = min(failures + 1, 16)


def _connected(transport: Transport, campaign_id: str, after: int) -> Iterator[Event | None]:
    """The events of one connection; None for a sign of life."""
    path, headers = f"/v1/campaigns/{campaign_id}/events", {"Accept": "text/event-stream"}
    with transport.stream(path, params={"after": after}, headers=headers, silence_s=_SILENCE_S) as answer:
        yield from _events(answer.iter_lines())


def _events(lines: Iterable[str]) -> Iterator[Event | None]:
    data: list[str] = []
    for line in lines:
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif line:
            yield None
        elif data:
            yield Event.model_validate(json.loads("\n".join(data)))
            data = []
