"""A robot: asks which film to make, makes it, says what became of it."""

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from filmloop_client.answers import Composition, Film, Lease, Proposal, ProposedFilm
from filmloop_client.errors import Conflict
from filmloop_client.keeping import Keeping
from filmloop_client.transport import Transport, retry_after

logger = logging.getLogger("filmloop.client")

LONGEST_WAIT_S = 25.0
"""Longest time for which the service itself holds a claim open; longer waits are several claims."""
_LOOK_S = 2.0
"""How often a robot asks whether a campaign that is paused goes on."""


class Infeasible(Exception):
    """Raised by a robot's `make`: the material will not form there. The model learns from it, and the robot goes on."""


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

    def kept(self) -> Keeping:
        """Renew the lease in the background for the length of a `with` block; its `lost` says if it was in vain."""
        return Keeping(self.renew, self.lease)

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
        self.stopped = threading.Event()
        """Set by `stop` and `emergency_stop`: whatever makes a film may look at it."""
        self._held: Claim | None = None
        self._lock = threading.Lock()

    def run(
        self, make: Callable[[Claim], Sequence[Composition] | None], *, films: int | None = None, wait_s: float = 60.0
    ) -> int:
        """Make films until the campaign is over or its budget spent, `films` are made, or somebody says `stop`.

        A film that this robot was making when it crashed comes first. While a film is made its lease is renewed.

        Args:
            make: Makes one film and returns the compositions as made, one per device, or None if they are not known.
                If it raises `Infeasible`, the film is reported so and the next one asked for; any other exception is
                reported as a fault of the equipment and raised here.
            films: How many at most.
            wait_s: How long one claim may wait for a decision that knows the newest data.

        Returns:
            How many films were made.
        """
        made = 0
        while not self.stopped.is_set() and (films is None or made < films):
            try:
                claim = self.claim(wait_s)
            except Conflict as refusal:
                if _is_over(refusal):
                    break
                self.stopped.wait(_LOOK_S)
                continue
            if claim is not None:
                made += self._made(claim, make)
        return made

    def stop(self) -> None:
        """Let `run` end after the film that is being made."""
        self.stopped.set()

    def emergency_stop(self, reason: str) -> None:
        """Give up the film in the making, and ask for no other; from any thread.

        This tells Filmloop only: what cuts the power of the tool must not wait for a network. A film whose material
        is being spent is reported as failed by the operator; one that was not begun goes back to the queue. If the
        service cannot be reached, the film becomes overdue there and waits for a person.

        Raises:
            FilmloopError: If the service could not be told.
        """
        self.stopped.set()
        with self._lock:
            held, self._held = self._held, None
        if held is None:
            return
        if held.film_id is None:
            held.release()
        else:
            held.fail(f"emergency stop: {reason}", outcome="operator")

    def _made(self, claim: "Claim", make: Callable[[Claim], Sequence[Composition] | None]) -> int:
        self._held = claim
        with claim.kept() as keeping:
            try:
                claim.start()
                compositions = make(claim)
            except Infeasible as found:
                reason = str(found) or "infeasible"
                self._report(lambda: claim.fail(reason, outcome="infeasible"), keeping)
                return 0
            except BaseException as error:
                reason = f"{type(error).__name__}: {error}"
                self._report(lambda: claim.fail(reason), keeping)
                raise
            return self._report(lambda: claim.complete(compositions), keeping)

    def _report(self, tell: Callable[[], object], keeping: Keeping) -> int:
        """Say what became of the film that is held, unless an emergency stop said it already, or nobody asks."""
        with self._lock:
            held, self._held = self._held, None
        if held is None or held.film_id is None:
            return 0
        if keeping.lost.is_set():
            logger.warning("film %s was taken from %s: %s", held.film_id, self.name, keeping.reason)
            return 0
        tell()
        return 1

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


def _is_over(refusal: Conflict) -> bool:
    """Whether a refused claim means that this robot has nothing to wait for. A robot's key may not read the campaign.

    Raises:
        Conflict: The refusal, if it is none of the campaign's state.
    """
    if refusal.type.endswith("budget-spent"):
        return True
    told = re.search(r" is (\w+):", refusal.detail)
    if told is None:
        raise refusal
    return told.group(1) not in {"draft", "active", "paused"}
