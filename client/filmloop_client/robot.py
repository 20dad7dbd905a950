"""A robot: asks which film to make, makes it, says what became of it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from filmloop_client.answers import Film, Lease, Proposal, ProposedFilm
from filmloop_client.transport import Transport, retry_after

LONGEST_WAIT_S = 25.0
"""Longest time for which the service itself holds a claim open; longer waits are several claims."""


class Claim:
    """One film promised to this robot: `start()` it, make it, `complete()` it."""

    def __init__(self, transport: Transport, answer: Mapping[str, Any]) -> None:
        """Wrap the answer to a claim."""
        self._transport = transport
        self.lease = Lease.model_validate(answer["lease"])
        self.proposal = Proposal.model_validate(answer["proposal"])

    @property
    def film(self) -> ProposedFilm:
        """The film to make: ends, process conditions and the composition of each device."""
        return self.proposal.film

    @property
    def film_id(self) -> str | None:
        """The film's id, once it was started."""
        return self.proposal.film_id

    def renew(self) -> Lease:
        """Say that the robot is alive; do so before `lease.expires_at` while the film has not been started."""
        token = self.lease.token
        answer = self._move("renew", {})
        renewed = Lease.model_validate(answer.get("lease", answer))
        self.lease = renewed if renewed.token else renewed.model_copy(update={"token": token})
        return self.lease

    def start(self) -> str:
        """Say that material is being spent from now on. A robot that comes back to a started film may call it again.

        A film that became overdue while the robot was away is in the making again.

        Returns:
            The film's id, under which it is measured.
        """
        if self.film_id is not None:
            if self.proposal.state == "overdue":
                self.renew()
                self.proposal = self.proposal.model_copy(update={"state": "running"})
            return self.film_id
        answer = self._move("start", {})
        self.proposal = Proposal.model_validate(answer["proposal"] | {"film_id": answer["film_id"]})
        return str(answer["film_id"])

    def complete(
        self, compositions: Sequence[Mapping[str, float]] | None = None, *, outcome: str = "ok", note: str | None = None
    ) -> Film:
        """Say that the film is made.

        Args:
            compositions: Composition of each device as made (EDX, XRF), in device order; None if it was not measured.
            outcome: `ok` or `partial`; a film that failed goes through `fail`.
            note: Anything a person should know.

        Raises:
            Invalid: If a composition has another element, a wrong sum or the wrong number of devices.
            Conflict: If the film was not started, is no longer this robot's, or is overdue: then `renew()` first.
        """
        made = None if compositions is None else [dict(c) for c in compositions]
        return Film.model_validate(self._move("complete", {"outcome": outcome, "compositions": made, "note": note}))

    def fail(self, reason: str, *, outcome: str = "equipment") -> dict[str, Any]:
        """Say that no film came of it. Only `infeasible` (the material would not form) is news for the model."""
        return self._move("fail", {"reason": reason, "outcome": outcome})

    def release(self) -> dict[str, Any]:
        """Give the proposal back, before `start`."""
        return self._move("release", {})

    def _move(self, action: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._transport.post(
            f"/v1/leases/{self.lease.id}/{action}", body, headers={"Lease-Token": self.lease.token}
        )
        parsed: dict[str, Any] = answer.json() if answer.content else {}
        return parsed


class Robot:
    """A robot of a campaign, known by its name: after a crash the same name gets its own film back."""

    def __init__(self, transport: Transport, campaign_id: str, name: str) -> None:
        """Name a robot; nothing is sent yet."""
        self._transport = transport
        self.campaign_id = campaign_id
        self.name = name

    def claim(self, wait_s: float = LONGEST_WAIT_S) -> Claim | None:
        """Ask for the next film.

        Args:
            wait_s: How long to wait for a decision that knows the newest data. 0 takes what is ready.

        Returns:
            The claim, or None if nothing was ready in that time.

        Raises:
            Conflict: If the campaign is not active.
        """
        deadline = time.monotonic() + wait_s
        while True:
            left = max(0.0, deadline - time.monotonic())
            patience = min(left, LONGEST_WAIT_S)
            body = {"robot": self.name, "wait_s": round(patience, 3)}
            answer = self._transport.post(f"/v1/campaigns/{self.campaign_id}/claims", body, wait_s=patience)
            if answer.content:
                return Claim(self._transport, answer.json())
            pause = retry_after(answer) or 0.5
            if time.monotonic() + pause >= deadline:
                return None
            time.sleep(pause)
