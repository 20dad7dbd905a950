"""Compositions for wanted values: what a campaign's generator draws, and what its model expects of it."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from filmloop_client.answers import Answer, Composition
from filmloop_client.errors import Unreachable
from filmloop_client.paging import pages
from filmloop_client.transport import Transport

_ASKED_EVERY_S = 0.25


class Expected(Answer):
    """What is expected of one property, in its own unit."""

    mean: float
    sd: float


class Verdict(Answer):
    """What one test says of a composition."""

    name: str
    passed: bool
    reason: str = ""


class Design(Answer):
    """One composition; `novelty` is how far it is from the nearest one that was read, as a sum over the elements."""

    composition: Composition
    predicted: dict[str, Expected] | None = None
    novelty: float | None = None
    verdicts: tuple[Verdict, ...] = ()


class Designs(Answer):
    """What was drawn, the likeliest to be what is wanted first."""

    drawn_by: str = ""
    process: dict[str, float | str] | None = None
    compositions: tuple[Design, ...] = ()


class Generation(Answer):
    """Compositions that were asked for; `answer` is there once `state` is `succeeded`."""

    id: str
    campaign_id: str
    state: str
    asked: dict[str, Any] | None = None
    revision: int | None = None
    model_version_id: str | None = None
    generator_version_id: str | None = None
    answer: Designs | None = None
    error: str | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None


class Generations:
    """Compositions that were, or shall be, asked for in one campaign."""

    def __init__(self, transport: Transport, campaign_id: str) -> None:
        """Of a campaign."""
        self._transport = transport
        self._path = f"/v1/campaigns/{campaign_id}/generations"

    def ask(
        self,
        count: int = 20,
        *,
        targets: Mapping[str, float | tuple[float, float]] | None = None,
        constraints: Mapping[str, Any] | None = None,
        process: Mapping[str, float | str] | None = None,
        wait_s: float = 60.0,
    ) -> Generation:
        """Ask for compositions and wait for the answer.

        Args:
            count: How many, at most 500.
            targets: Value by property, or value and tolerance; values beyond the best so far if left out.
            constraints: `bounds`, `groups` and `linear` rules beside those of the campaign, written as there.
            process: Every process variable in its unit; mid range and first choices if left out.
            wait_s: How long to wait.

        Raises:
            Invalid: If a property or a rule is none of the campaign's.
            Unreachable: If no worker has answered by then; `get` reads the answer later.
        """
        wanted = {
            name: {"value": t[0], "tolerance": t[1]} if isinstance(t, tuple) else {"value": t}
            for name, t in (targets or {}).items()
        }
        body: dict[str, Any] = {"count": count, "targets": wanted, "constraints": dict(constraints or {})}
        if process is not None:
            body["process"] = dict(process)
        asked = Generation.model_validate(self._transport.post(self._path, body).json())
        deadline = time.monotonic() + wait_s
        while asked.state not in {"succeeded", "dead"}:
            if time.monotonic() > deadline:
                raise Unreachable(f"no worker has answered generation {asked.id} within {wait_s:g} s")
            time.sleep(_ASKED_EVERY_S)
            asked = self.get(asked.id)
        return asked

    def get(self, generation_id: str) -> Generation:
        """One generation."""
        return Generation.model_validate(self._transport.get(f"/v1/generations/{generation_id}").json())

    def all(self) -> Iterator[Generation]:
        """Everything that was asked, oldest first."""
        return pages(self._transport, self._path, Generation)
