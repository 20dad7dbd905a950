"""The door: a client for one Filmloop service."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import BaseModel

from filmloop_client.answers import CampaignState
from filmloop_client.campaign import Campaign
from filmloop_client.instrument import Instrument
from filmloop_client.offline import OfflineInstrument
from filmloop_client.paging import pages
from filmloop_client.robot import Robot
from filmloop_client.spool import Lane
from filmloop_client.transport import Transport

__all__ = ["Campaign", "Campaigns", "Client"]


class Campaigns:
    """The campaigns of a service."""

    def __init__(self, transport: Transport) -> None:
        """Use a client's connection."""
        self._transport = transport

    def create(
        self,
        name: str,
        problem: Mapping[str, Any] | BaseModel,
        *,
        queue_depth: int = 1,
        films: int | None = None,
        devices: int | None = None,
        hours: float | None = None,
        learn_from: Sequence[Mapping[str, Any]] = (),
    ) -> Campaign:
        """Create a campaign; it stays a draft until `activate()`.

        Args:
            name: For people.
            problem: Search space, objective, film geometry, policy; see the tutorial.
            queue_depth: How many films are kept decided ahead; about the number of robots.
            films: Budget of films; None for no limit.
            devices: Budget of devices on them.
            hours: Budget of hours that robots work on them.
            learn_from: Other campaigns whose readings it begins with, each `{"campaign_id": ...}` with the options of
                `PriorDataOf.take`.

        Raises:
            Invalid: If the problem breaks a rule; `errors` names each field.
        """
        body: dict[str, Any] = {
            "name": name,
            "problem": problem.model_dump(mode="json") if isinstance(problem, BaseModel) else dict(problem),
            "queue_depth": queue_depth,
            "budget": {"films": films}
            | {k: v for k, v in {"devices": devices, "hours": hours}.items() if v is not None},
        }
        if learn_from:
            body["prior_data"] = [dict(source) for source in learn_from]
        return self._wrap(self._transport.post("/v1/campaigns", body))

    def clone(
        self,
        campaign_id: str,
        name: str,
        *,
        changes: Mapping[str, Any] | None = None,
        learn_from: Sequence[Mapping[str, Any]] = (),
    ) -> Campaign:
        """Begin a campaign with the configuration of another one; it stays a draft until `activate()`.

        Args:
            campaign_id: The other one. Its films and readings stay where they are.
            name: For people.
            changes: What shall be otherwise, e.g. `{"problem": {"seed": 7}, "queue_depth": 2}`.
            learn_from: As in `create`; name the other one here if the new one is to learn from it.

        Raises:
            NotFound: If there is none with this id.
            Invalid: If the changed problem breaks a rule.
        """
        body: dict[str, Any] = {"name": name, "changes": dict(changes or {})}
        body["prior_data"] = [dict(source) for source in learn_from]
        return self._wrap(self._transport.post(f"/v1/campaigns/{campaign_id}/clones", body))

    def get(self, campaign_id: str) -> Campaign:
        """One campaign.

        Raises:
            NotFound: If there is none with this id.
        """
        return self._wrap(self._transport.get(f"/v1/campaigns/{campaign_id}"))

    def import_archive(self, archive: bytes) -> Campaign:
        """Bring a campaign back from the zip file that `Exports.archive` wrote; one that was running is paused.

        Raises:
            Conflict: If it is here already, or was written by another version.
            Invalid: If it is no archive, or damaged.
            NotAllowed: If the key is good for some campaigns only.
        """
        sent = {"Content-Type": "application/zip"}
        return self._wrap(self._transport.post_content("/v1/campaign-imports", archive, headers=sent, wait_s=600.0))

    def list(self) -> Iterator[Campaign]:
        """Every campaign."""
        for state in pages(self._transport, "/v1/campaigns", CampaignState):
            yield Campaign(self._transport, state)

    def _wrap(self, answer: httpx.Response) -> Campaign:
        return Campaign(self._transport, CampaignState.model_validate(answer.json()), answer.headers.get("ETag"))


class Client:
    """A Filmloop service. Use it in a `with` block, or call `close()`. Threads may share it."""

    def __init__(
        self, base_url: str | None = None, *, key: str | None = None, timeout: float = 10.0, patience: float = 60.0
    ) -> None:
        """Name the service; nothing is sent yet.

        Args:
            base_url: Where it listens. If not given: the environment's `FILMLOOP_URL`, else port 8000 of this machine.
            key: Says who asks. If not given: the environment's `FILMLOOP_KEY`, else, for a service on this machine, the
                key that `filmloop up` keeps in its data directory.
            timeout: Seconds to wait for one answer.
            patience: Seconds for which a call keeps trying; a restart of the service is then a delay, not an error.
        """
        address = base_url or os.environ.get("FILMLOOP_URL") or "http://127.0.0.1:8000"
        self.transport = Transport(address, key=key, timeout=timeout, patience=patience)
        self.campaigns = Campaigns(self.transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def instrument(self, campaign_id: str, name: str) -> Instrument:
        """An instrument of a campaign; nothing is asked, so that it can be had while the network is down."""
        return Instrument(self.transport, campaign_id, name)

    def robot(self, campaign_id: str, name: str) -> Robot:
        """A robot of a campaign; nothing is asked."""
        return Robot(self.transport, campaign_id, name)

    def offline_instrument(self, campaign_id: str, name: str, folder: Path | str) -> OfflineInstrument:
        """An instrument that keeps its readings in a folder of this computer until Filmloop has them.

        Nothing is asked, so that it can be had while the network is down; what waits there is sent from now on.

        Raises:
            OSError, sqlite3.Error: If the folder cannot be used.
        """
        return OfflineInstrument(self.transport, Lane(campaign_id, name), folder)

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()
