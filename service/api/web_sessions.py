"""Where a browser is let in with a key, and gets a cookie for it that no script can read."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from service.api.access import CallerDependency
from service.api.dependencies import CallersDependency, SessionsDependency, SettingsDependency
from service.api.gate import COOKIE, named, refuse_foreign_origin
from service.api.problems import answers
from service.api.rates import Rate, origin_of
from service.api.schemas.keys import CallerRead, SessionCreate
from service.errors import Unauthenticated
from service.operations import keys
from service.operations.keys import Caller
from service.store.session import Sessions

router = APIRouter(prefix="/session", tags=["operator"])

OPENED_PER_S, OPENED_AT_ONCE = 1.0, 60.0
"""Sessions of one key's holder: each is a row that stays for hours."""


def letting_in() -> Rate:
    """How often one key's holder may be let in."""
    return Rate(OPENED_PER_S, OPENED_AT_ONCE)


@router.post("", status_code=201, responses=answers(401))
async def open_session(
    *,
    said: SessionCreate,
    request: Request,
    response: Response,
    sessions: SessionsDependency,
    settings: SettingsDependency,
    callers: CallersDependency,
) -> CallerRead:
    """Let a browser in: the answer sets a cookie that is good for 12 hours, and no longer than the key."""
    if "origin" in request.headers:
        refuse_foreign_origin({k.encode(): v for k, v in request.headers.items()}, named(settings.api))
    presented, origin = said.key.get_secret_value(), origin_of(request.scope)
    caller = await callers.introduced(callers.of_key, presented, origin)
    if caller is None:
        raise Unauthenticated("the key is not known here, or has expired or was revoked")
    opened: Rate = request.app.state.letting_in
    opened.refuse_beyond(caller.holder)
    cookie = await run_in_threadpool(_let_in, sessions, caller)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(keys.SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return CallerRead.of(caller)


def _let_in(sessions: Sessions, caller: Caller) -> str:
    with sessions.begin() as session:
        return keys.let_in(session, caller)


@router.get("")
async def read_session(caller: CallerDependency) -> CallerRead:
    """Who asks, with a key or a cookie."""
    return CallerRead.of(caller)


@router.delete("", status_code=204)
def close_session(request: Request, sessions: SessionsDependency, callers: CallersDependency) -> Response:
    """Let a browser out: its cookie is good for nothing any more. It is no fault to be out already."""
    cookie = request.cookies.get(COOKIE)
    if cookie is not None:
        with sessions.begin() as session:
            keys.let_out(session, cookie)
        callers.forget_cookie(cookie)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
