"""Who may call what: one table of operations, one dependency that holds every route to it.

`Gate` (`service/api/gate.py`) finds out who asks, before a body is read. `authorise` then checks, route by route, that
the caller has a scope of the operation and was granted the campaign that the path leads to. What is not granted is
answered as if it were not there.

A page depends on `page` instead: any key that may read campaigns lets its holder in. What a page shows of several
campaigns it filters by `caller_of(request).campaigns`.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from service.errors import NotAllowed, NotFound, Unauthenticated
from service.operations.keys import SCOPES, Caller
from service.operations.owners import NOUNS, campaign_of

Scopes = frozenset[str]
StillKnown = Callable[[], Awaitable[Caller | None]]
"""Asks again, within seconds of the truth, who the caller of a request that lasts is; None if nobody any more."""


class UndeclaredOperation(RuntimeError):
    """Nothing says who may call a route. The programmer must name it in `OPERATIONS`; nothing is served until then."""


_READ = frozenset({"campaigns:read"})
_WRITE = frozenset({"campaigns:write"})
_CLAIM = frozenset({"proposals:claim"})
_MEASURE = frozenset({"measurements:write"})
_CALIBRATE = frozenset({"calibrations:write"})
_RETRACT = frozenset({"data:retract"})
_EXPORT = frozenset({"export"})
_ADMIN = frozenset({"keys:admin"})
_BENCH = _READ | _MEASURE | _CALIBRATE
"""What an instrument must see to do its work, too."""
_TOOL = _READ | _CLAIM
"""What a robot must see, too."""
ANYBODY: Scopes = frozenset()
"""No key is asked for."""
ANY_KEY: Scopes = frozenset(SCOPES)

OPERATIONS: Mapping[str, Scopes] = {
    "alive": ANYBODY,
    "ready": ANYBODY,
    "open_session": ANYBODY,
    "close_session": ANYBODY,
    "read_session": ANY_KEY,
    "read_capabilities": ANY_KEY,
    "metrics": frozenset({"metrics:read"}),
    "list_campaigns": _BENCH | _TOOL,
    "read_campaign": _BENCH | _TOOL,
    "create_campaign": _WRITE,
    "change_campaign": _WRITE,
    "act_on_campaign": _WRITE,
    "clone_campaign": _WRITE,
    "import_campaign": _WRITE,
    "list_configurations": _READ,
    "read_configuration": _READ,
    "list_proposals": _TOOL,
    "preview_next_proposal": _TOOL,
    "read_proposal": _TOOL,
    "read_recipe": _TOOL | _EXPORT,
    "read_inputs": _READ,
    "propose_film": _WRITE,
    "act_on_proposal": _WRITE,
    "claim_film": _CLAIM,
    "renew_lease": _CLAIM,
    "start_film": _CLAIM,
    "complete_film": _CLAIM,
    "fail_film": _CLAIM,
    "release_film": _CLAIM,
    "list_films": _BENCH | _TOOL,
    "read_film": _BENCH | _TOOL,
    "record_measurements": _MEASURE,
    "record_composition_map": _MEASURE,
    "attach": _MEASURE,
    "record_sample_readings": _MEASURE,
    "list_attachments": _BENCH,
    "read_attachment": _BENCH,
    "register_instrument": _MEASURE | _CALIBRATE,
    "list_instruments": _BENCH,
    "read_instrument": _BENCH,
    "calibrate_instrument": _CALIBRATE,
    "list_instrument_calibrations": _BENCH,
    "read_calibration": _BENCH,
    "register_sample": _CALIBRATE,
    "list_samples": _BENCH,
    "read_sample": _BENCH,
    "list_sample_readings": _BENCH,
    "retract_readings": _RETRACT,
    "reverse_retraction": _RETRACT,
    "list_retractions": _READ | _RETRACT,
    "read_retraction": _READ | _RETRACT,
    "list_retracted_readings": _READ | _RETRACT,
    "take_prior_data": _WRITE,
    "take_prior_file": _WRITE,
    "withdraw_prior_data": _RETRACT,
    "reinstate_prior_data": _RETRACT,
    "list_prior_data": _READ | _RETRACT,
    "read_prior_data": _READ | _RETRACT,
    "list_prior_rows": _READ | _RETRACT,
    "read_dataset": _READ,
    "read_dataset_samples": _READ,
    "list_model_versions": _READ,
    "read_model_version": _READ,
    "read_posterior": _READ,
    "generate_compositions": _WRITE,
    "list_generations": _READ,
    "read_generation": _READ,
    "list_replays": _READ,
    "replay_proposal": _WRITE,
    "read_replay": _READ,
    "read_lineage": _READ,
    "export_dataset": _EXPORT,
    "export_films": _EXPORT,
    "export_proposals": _EXPORT,
    "export_archive": _EXPORT,
    "predict_by_model_version": _READ,
    "predict_by_newest_model": _READ,
    "read_recommendation": _READ,
    "read_pareto_front": _READ,
    "list_calibrations": _READ,
    "read_stop_advice": _READ,
    "list_events": _BENCH | _TOOL,
    "create_key": _ADMIN,
    "list_keys": _ADMIN,
    "read_key": _ADMIN,
    "rotate_key": _ADMIN,
    "revoke_key": _ADMIN,
    "list_audit": _ADMIN,
}
"""By operation: scopes of which one suffices. A route that is not here stops the start-up."""
_LOOKED_UP = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Ids that can be asked for; any other the route itself refuses."""


def check(routers: Iterable[APIRouter]) -> None:
    """Hold routes against the table.

    Raises:
        UndeclaredOperation: If there is one that the table does not name.
    """
    names = {r.endpoint.__name__ for router in routers for r in router.routes if isinstance(r, APIRoute)}
    if undeclared := sorted(names - set(OPERATIONS)):
        raise UndeclaredOperation(
            f"service/api/access.py does not say who may call {', '.join(undeclared)}: name it in OPERATIONS"
        )


async def authorise(request: Request) -> None:
    """Let a request through that its key is good for.

    Raises:
        Unauthenticated: If there is no key, or it is good no longer.
        NotAllowed: If it has none of the scopes.
        NotFound: If it leads to a campaign that was not granted.
    """
    await _hold(request, OPERATIONS[operation_of(request)])


async def page(request: Request) -> None:
    """Let a person through whose key may read campaigns; otherwise as `authorise`."""
    await _hold(request, _READ)


async def _hold(request: Request, needed: Scopes) -> None:
    if not needed:
        return
    caller_of(request)
    caller = await still_known(request)()  # the body may have taken minutes since the gate asked
    if caller is None:
        raise Unauthenticated("the key has expired or was revoked")
    if not needed & caller.scopes:
        raise NotAllowed(f"this needs a key with the scope {' or '.join(sorted(needed))}; yours has not")
    if caller.campaigns is not None:
        for name, value in request.path_params.items():
            await _hold_to_campaign(request, caller, name.removesuffix("_id"), str(value))


async def _hold_to_campaign(request: Request, caller: Caller, noun: str, name: str) -> None:
    """Refuse an id that leads to a campaign which the caller was not granted, as if there were nothing of that id."""
    if noun != "campaign" and (noun not in NOUNS or _LOOKED_UP.fullmatch(name) is None):
        return
    of = name if noun == "campaign" else await run_in_threadpool(campaign_of, request.app.state.sessions, noun, name)
    if of is None:
        raise NotFound(NOUNS[noun], name)
    if not caller.sees(of):
        # It may have been granted a moment ago, through another process: ask the record before saying no.
        again = await still_known(request, at_once=True)()
        if again is None or not again.sees(of):
            raise NotFound(NOUNS.get(noun, noun), name)


def caller_of(request: Request) -> Caller:
    """Who asks.

    Raises:
        Unauthenticated: If nobody who is known.
    """
    caller: Caller | None = request.scope["state"].get("caller")
    if caller is None:
        raise Unauthenticated("this call needs a key: send it in the header `Authorization: Bearer flp_...`")
    return caller


def still_known(request: Request, *, at_once: bool = False) -> StillKnown:
    """How to ask again who the caller is; `at_once` of the record itself, not of what was known seconds ago."""
    again: Callable[[bool], Awaitable[Caller | None]] = request.scope["state"]["again"]

    async def ask() -> Caller | None:
        return await again(at_once)

    return ask


def operation_of(request: Request) -> str:
    """Name of the operation that a request is for."""
    name: str = request.scope["endpoint"].__name__
    return name


async def _caller(request: Request) -> Caller:
    return caller_of(request)


async def _still_known(request: Request) -> StillKnown:
    return still_known(request)


CallerDependency = Annotated[Caller, Depends(_caller)]
StillKnownDependency = Annotated[StillKnown, Depends(_still_known)]
AUTHORISED: list[Any] = [Depends(authorise)]
PAGE: list[Any] = [Depends(page)]
"""Dependencies of every route of the API, and of every page."""
