"""The same client for programs with an event loop: every call of it is awaited, every list iterated with `async for`.

Calls run in threads, so that there is one client and not two that drift apart. A task that is cancelled stops waiting
for its call; the call itself ends by itself, and what it moves is moved. A lost claim is given to the same robot again.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from filmloop_client.answers import Composition
from filmloop_client.campaign import Campaign
from filmloop_client.client import Campaigns, Client
from filmloop_client.exports import Exports
from filmloop_client.generations import Generations
from filmloop_client.history import History
from filmloop_client.instrument import Instrument
from filmloop_client.offline import OfflineInstrument
from filmloop_client.prior_data import PriorDataOf
from filmloop_client.record import Record
from filmloop_client.robot import Claim, Robot

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
W = TypeVar("W")
_THREADS = 64
"""Calls that wait at once; more queue up. A claim or a followed campaign occupies one while it waits."""
_END = object()


class Awaited(Generic[T]):
    """Something of the client, `sync`, whose calls are awaited here."""

    def __init__(self, sync: T, threads: ThreadPoolExecutor) -> None:
        """Wrap it; its calls run in `threads`."""
        self.sync = sync
        self._threads = threads

    async def _call(self, what: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, what)


@overload
def awaited(
    method: Callable[Concatenate[T, P], R],
) -> Callable[Concatenate[Awaited[T], P], Coroutine[Any, Any, R]]: ...
@overload
def awaited(
    method: Callable[Concatenate[T, P], R], handle: Callable[[R, ThreadPoolExecutor], W]
) -> Callable[Concatenate[Awaited[T], P], Coroutine[Any, Any, W]]: ...
def awaited(
    method: Callable[Concatenate[T, P], R], handle: Callable[[R, ThreadPoolExecutor], Any] | None = None
) -> Callable[Concatenate[Awaited[T], P], Coroutine[Any, Any, Any]]:
    """The method, awaited; what it returns is wrapped by `handle` if that has calls of its own."""

    @functools.wraps(method)
    async def call(self: Awaited[T], /, *args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 - typed above
        found = await self._call(functools.partial(method, self.sync, *args, **kwargs))
        return found if handle is None else handle(found, self._threads)

    return call


def each(
    method: Callable[Concatenate[T, P], Iterator[R]], handle: Callable[[R, ThreadPoolExecutor], Any] | None = None
) -> Callable[Concatenate[Awaited[T], P], AsyncIterator[Any]]:
    """The method, whose items are iterated with `async for`; the next one is fetched when it is asked for."""

    @functools.wraps(method)
    async def items(self: Awaited[T], /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Any]:
        found = method(self.sync, *args, **kwargs)
        while (item := await self._call(lambda: next(found, _END))) is not _END:
            yield item if handle is None else handle(item, self._threads)  # type: ignore[arg-type]

    return items


class AsyncClaim(Awaited[Claim]):
    """One film promised to this robot; `sync.film`, `sync.lease`, `sync.proposal` say which."""

    renew, start, complete = awaited(Claim.renew), awaited(Claim.start), awaited(Claim.complete)
    fail, release = awaited(Claim.fail), awaited(Claim.release)

    @property
    def film(self) -> Any:  # noqa: ANN401 - as of the claim
        """The film to make."""
        return self.sync.film


def _perhaps(claim: Claim | None, threads: ThreadPoolExecutor) -> AsyncClaim | None:
    return None if claim is None else AsyncClaim(claim, threads)


class AsyncRobot(Awaited[Robot]):
    """A robot; `sync.stop()` lets `run` end after the film that is being made."""

    claim = awaited(Robot.claim, _perhaps)
    emergency_stop = awaited(Robot.emergency_stop)

    async def run(
        self,
        make: Callable[[AsyncClaim], Coroutine[Any, Any, Sequence[Composition] | None]],
        *,
        films: int | None = None,
        wait_s: float = 60.0,
    ) -> int:
        """As `Robot.run`, with a `make` that is awaited in this loop."""
        loop = asyncio.get_running_loop()

        def made(claim: Claim) -> Sequence[Composition] | None:
            return asyncio.run_coroutine_threadsafe(make(AsyncClaim(claim, self._threads)), loop).result()

        return await self._call(lambda: self.sync.run(made, films=films, wait_s=wait_s))


class AsyncInstrument(Awaited[Instrument]):
    """An instrument."""

    measure, upload = awaited(Instrument.measure), awaited(Instrument.upload)


class AsyncOfflineInstrument(Awaited[OfflineInstrument]):
    """An instrument with a spool on disk; `sync.waiting` and `sync.trouble` say how it stands."""

    put, flush, close = (
        awaited(OfflineInstrument.put),
        awaited(OfflineInstrument.flush),
        awaited(OfflineInstrument.close),
    )
    aside, try_again = awaited(OfflineInstrument.aside), awaited(OfflineInstrument.try_again)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncExports(Awaited[Exports]):
    """What can be taken away of a campaign as files."""

    dataset, films, proposals = awaited(Exports.dataset), awaited(Exports.films), awaited(Exports.proposals)
    archive, recipe = awaited(Exports.archive), awaited(Exports.recipe)


class AsyncHistory(Awaited[History]):
    """What a campaign's films come from."""

    inputs, replay, lineage = awaited(History.inputs), awaited(History.replay), awaited(History.lineage)
    replays = each(History.replays)


class AsyncGenerations(Awaited[Generations]):
    """Compositions that were, or shall be, asked for."""

    ask, get, all = awaited(Generations.ask), awaited(Generations.get), each(Generations.all)


class AsyncRecord(Awaited[Record]):
    """Retractions, instruments and calibration samples."""

    retract, reverse, retractions = awaited(Record.retract), awaited(Record.reverse), each(Record.retractions)
    register_instrument, instruments = awaited(Record.register_instrument), each(Record.instruments)
    calibrate, calibrations = awaited(Record.calibrate), each(Record.calibrations)
    register_sample, samples, read_sample = (
        awaited(Record.register_sample),
        each(Record.samples),
        awaited(Record.read_sample),
    )


class AsyncPriorData(Awaited[PriorDataOf]):
    """What a campaign learns from that was read elsewhere."""

    take, upload, add = awaited(PriorDataOf.take), awaited(PriorDataOf.upload), awaited(PriorDataOf.add)
    look, get, rows = awaited(PriorDataOf.look), awaited(PriorDataOf.get), each(PriorDataOf.rows)
    list = each(PriorDataOf.list)
    withdraw, reinstate = awaited(PriorDataOf.withdraw), awaited(PriorDataOf.reinstate)


class AsyncCampaign(Awaited[Campaign]):
    """One campaign; `sync.latest` is what was last read of it."""

    refresh, change, act, activate = (
        awaited(Campaign.refresh),
        awaited(Campaign.change),
        awaited(Campaign.act),
        awaited(Campaign.activate),
    )
    next_proposal, proposal, propose = (
        awaited(Campaign.next_proposal),
        awaited(Campaign.proposal),
        awaited(Campaign.propose),
    )
    cancel, prioritise, resolve = awaited(Campaign.cancel), awaited(Campaign.prioritise), awaited(Campaign.resolve)
    proposals, films, film = each(Campaign.proposals), each(Campaign.films), awaited(Campaign.film)
    dataset, predict, posterior = awaited(Campaign.dataset), awaited(Campaign.predict), awaited(Campaign.posterior)
    model_versions, newest_model = each(Campaign.model_versions), awaited(Campaign.newest_model)
    best, recommendation, pareto = awaited(Campaign.best), awaited(Campaign.recommendation), awaited(Campaign.pareto)
    calibration, stop_advice = each(Campaign.calibration), awaited(Campaign.stop_advice)
    events, follow = each(Campaign.events), each(Campaign.follow)

    def robot(self, name: str) -> AsyncRobot:
        """A robot of this campaign."""
        return AsyncRobot(self.sync.robot(name), self._threads)

    def instrument(self, name: str) -> AsyncInstrument:
        """An instrument of this campaign."""
        return AsyncInstrument(self.sync.instrument(name), self._threads)

    @property
    def id(self) -> str:
        """The campaign's id."""
        return self.sync.id

    @property
    def record(self) -> AsyncRecord:
        """Its retractions, instruments and calibration samples."""
        return AsyncRecord(self.sync.record, self._threads)

    @property
    def prior_data(self) -> AsyncPriorData:
        """What it learns from that was read elsewhere."""
        return AsyncPriorData(self.sync.prior_data, self._threads)

    @property
    def history(self) -> AsyncHistory:
        """What its films come from."""
        return AsyncHistory(self.sync.history, self._threads)

    @property
    def generations(self) -> AsyncGenerations:
        """Compositions for wanted properties."""
        return AsyncGenerations(self.sync.generations, self._threads)

    @property
    def exports(self) -> AsyncExports:
        """What can be taken away of it as files."""
        return AsyncExports(self.sync.exports, self._threads)


class AsyncCampaigns(Awaited[Campaigns]):
    """The campaigns of a service."""

    create, clone, get = (
        awaited(Campaigns.create, AsyncCampaign),
        awaited(Campaigns.clone, AsyncCampaign),
        awaited(Campaigns.get, AsyncCampaign),
    )
    import_archive = awaited(Campaigns.import_archive, AsyncCampaign)
    list = each(Campaigns.list, AsyncCampaign)


class AsyncClient:
    """A Filmloop service. Use it in an `async with` block, or await `close()`."""

    def __init__(self, base_url: str | None = None, **options: Any) -> None:  # noqa: ANN401 - as of Client
        """Name the service; nothing is sent yet. The options are those of `Client`."""
        self.sync = Client(base_url, **options)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="filmloop-aio")
        self.campaigns = AsyncCampaigns(self.sync.campaigns, self._threads)

    def robot(self, campaign_id: str, name: str) -> AsyncRobot:
        """A robot of a campaign; nothing is asked."""
        return AsyncRobot(self.sync.robot(campaign_id, name), self._threads)

    def instrument(self, campaign_id: str, name: str) -> AsyncInstrument:
        """An instrument of a campaign; nothing is asked."""
        return AsyncInstrument(self.sync.instrument(campaign_id, name), self._threads)

    def offline_instrument(self, campaign_id: str, name: str, folder: str) -> AsyncOfflineInstrument:
        """An instrument that keeps its readings in a folder of this computer until Filmloop has them."""
        return AsyncOfflineInstrument(self.sync.offline_instrument(campaign_id, name, folder), self._threads)

    async def close(self) -> None:
        """Close the connections; calls that wait end with an error."""
        self.sync.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
