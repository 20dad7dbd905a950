"""Who is played: instruments, robots and readers of events, each with a rhythm of its own."""

import asyncio
import itertools
import random
import time
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from benchmarks.load.http import Door

ROWS = 50
AGAIN_S = 0.5
"""So soon a reader of events comes back when its stream ended."""


@dataclass
class Taken:
    """Latencies of one kind of call, from the moment it was due, and what came back."""

    seconds: array = field(default_factory=lambda: array("d"))  # type: ignore[type-arg]  # of doubles
    due: array = field(default_factory=lambda: array("d"))  # type: ignore[type-arg]
    """When each was due, by the clock of `time.perf_counter`."""
    statuses: Counter[int] = field(default_factory=Counter)

    def note(self, due: float, status: int) -> None:
        """One call."""
        self.seconds.append(time.perf_counter() - due)
        self.due.append(due)
        self.statuses[status] += 1

    def figures(self, call: str, seconds: float, good: frozenset[int]) -> dict[str, object]:
        """A row of the table."""
        taken = sorted(self.seconds) or [0.0]

        def at(share: float) -> float:
            return float(1e3 * taken[min(len(taken) - 1, int(share * len(taken)))])

        errors = sum(count for status, count in self.statuses.items() if status not in good)
        each = len(self.seconds) / seconds
        names = {"calls": len(self.seconds), "per_s": each, "p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99)}
        told = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        return {"call": call, **names, "max_ms": 1e3 * taken[-1], "errors": errors, "statuses": told}

    def between(self, first: float, last: float) -> "Taken":
        """Those that were due in a span of time."""
        chosen = [s for s, due in zip(self.seconds, self.due, strict=True) if first <= due < last]
        return Taken(array("d", chosen))


@dataclass
class Lab:
    """Where everything goes: campaigns that only take readings, one from which robots claim, and a film of each."""

    door: Door
    films: list[tuple[str, str, str, str, int]]
    """Campaign, film, property, unit and number of devices, of each campaign that takes readings."""
    robots_campaign: str
    last: dict[str, int]
    """The last event of each of these campaigns that was read."""
    taken: dict[str, Taken] = field(default_factory=dict)
    lag: Taken = field(default_factory=Taken)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    ended_streams: int = 0

    def again(self) -> "Lab":
        """The same, with nothing noted."""
        return Lab(self.door, self.films, self.robots_campaign, self.last)

    def of(self, call: str) -> Taken:
        """The latencies of one kind of call."""
        return self.taken.setdefault(call, Taken())

    def fresh(self) -> str:
        """An Idempotency-Key."""
        return f"load-{time.time_ns()}-{next(self.numbers)}"


async def beat(period_s: float, phase_s: float, until: float, act: Callable[[float], Awaitable[None]]) -> None:
    """Begin a call whenever it is due, whether or not the last one has ended; wait for all in the end."""
    due, calls = time.perf_counter() + phase_s, set[asyncio.Task[None]]()
    while due < until:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.ensure_future(act(due))
        calls.add(task)
        task.add_done_callback(calls.discard)
        due += period_s
    await asyncio.gather(*calls)


async def instrument(lab: Lab, number: int, period_s: float, until: float) -> None:
    """A batch of 50 readings each period."""
    campaign, film, prop, unit, devices = lab.films[number % len(lab.films)]
    chance, path = random.Random(number), f"/v1/campaigns/{campaign}/measurement-batches"  # noqa: S311
    row = {"film_id": film, "property": prop, "unit": unit, "measured_at": datetime.now(UTC).isoformat()}

    async def send(due: float) -> None:
        values = [row | {"device": k % devices, "value": chance.gauss(5.0, 1.0)} for k in range(ROWS)]
        body = orjson.dumps({"instrument": f"squid-{number}", "measurements": values})
        status, _ = await lab.door.ask("POST", path, body, Idempotency_Key=lab.fresh())
        lab.of("measurement batch").note(due, status)

    await beat(period_s, chance.uniform(0.0, period_s), until, send)


async def robot(lab: Lab, number: int, period_s: float, until: float) -> None:
    """A claim each period; what was claimed is given back."""
    chance, path = random.Random(1000 + number), f"/v1/campaigns/{lab.robots_campaign}/claims"  # noqa: S311
    body = orjson.dumps({"robot": f"robot-{number}"})

    async def claim(due: float) -> None:
        status, answer = await lab.door.ask("POST", path, body, Idempotency_Key=lab.fresh())
        lab.of("claim").note(due, status)
        if status != 201:
            return
        lease, begun = orjson.loads(answer)["lease"], time.perf_counter()
        headers = {"Idempotency_Key": lab.fresh(), "Lease_Token": lease["token"]}
        status, _ = await lab.door.ask("POST", f"/v1/leases/{lease['id']}/release", b"{}", **headers)
        lab.of("release").note(begun, status)

    await beat(period_s, chance.uniform(0.0, period_s), until, claim)


async def reader(lab: Lab, number: int, until: float) -> None:
    """Follows a campaign; how old is an event when it comes?"""
    campaign = lab.films[number % len(lab.films)][0]
    after = lab.last[campaign]
    while time.perf_counter() < until:
        try:
            async with asyncio.timeout(max(0.1, until - time.perf_counter())):
                async for data in lab.door.follow(f"/v1/campaigns/{campaign}/events?after={after}"):
                    event = orjson.loads(data)
                    after = event["seq"]
                    lab.last[campaign] = max(after, lab.last[campaign])
                    lab.lag.seconds.append(time.time() - datetime.fromisoformat(event["at"]).timestamp())
        except TimeoutError:
            return
        except (OSError, asyncio.IncompleteReadError):
            pass
        lab.ended_streams += 1
        await asyncio.sleep(AGAIN_S)
