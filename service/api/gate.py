"""The gate before every route: whose name the request was sent to, who sends it, and how fast.

It runs before a body is read, so that a stranger cannot make the service read one.

Sources: RFC 6750, bearer tokens; OWASP, cross-site request forgery and DNS rebinding.
"""

import functools
import http.cookies
import ipaddress
import socket
from collections.abc import Mapping

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.callers import Callers
from service.api.limits import LETS_IN
from service.api.problems import answer_to
from service.api.rates import Rate, origin_of
from service.errors import CrossOrigin, Misdirected, ServiceError, Unauthenticated
from service.operations.keys import Caller
from service.settings import ApiSettings

COOKIE = "filmloop_session"
GUARDED = ("/v1/", "/metrics")
"""Where nobody gets anything without a key."""
FOR_EVERYBODY = ("/static/", "/healthz", "/readyz")
"""What is the same for everybody: nobody is asked who asks. Whether the process lives is told without the record."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})
BURST_S = 2.0
"""A caller that was silent for so long may send at once what it could have sent meanwhile."""


class Gate:
    """Refuses strangers, foreign names, foreign origins and floods; says to all others behind it who asks."""

    def __init__(self, app: ASGIApp, settings: ApiSettings, callers: Callers) -> None:
        self.app = app
        self._callers = callers
        self._named = named(settings)
        self._names = own_names(settings)
        self._calls = Rate(settings.rate_per_s, BURST_S * settings.rate_per_s)
        self._strangers = Rate(settings.rate_per_s, BURST_S * settings.rate_per_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request whose sender is known, or that is open to all; answer 401, 403, 421 or 429 to others."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {bytes(name): bytes(value).decode("latin-1") for name, value in scope["headers"]}
        try:
            refuse_foreign_name(headers.get(b"host", ""), self._names)
            await self._find_caller(scope, headers)
        except (ServiceError, OperationalError, InterfaceError, PoolTimeout) as error:
            await answer_to(scope, error)(scope, receive, send)
            return
        caller: Caller | None = scope["state"]["caller"]
        if caller is None:
            await self.app(scope, receive, send)
            return
        with structlog.contextvars.bound_contextvars(key=caller.key_id):
            await self.app(scope, receive, send)

    async def _find_caller(self, scope: Scope, headers: Mapping[bytes, str]) -> None:
        """Note in the request's state who asks, and how to ask again."""
        state, path = scope.setdefault("state", {}), scope["path"]
        state["caller"], guarded = None, path.startswith(GUARDED) and path != LETS_IN
        if path.startswith(FOR_EVERYBODY):
            return
        ask, presented = self._callers.of_key, _bearer(headers.get(b"authorization"))
        if presented is None:
            ask, presented = self._callers.of_cookie, _cookie(headers.get(b"cookie"))
            if presented is not None and scope["method"] not in READING:
                refuse_foreign_origin(headers, self._named)
        if presented is None:
            if guarded:
                raise Unauthenticated("this call needs a key: send it in the header `Authorization: Bearer flp_...`")
            self._strangers.refuse_beyond(origin_of(scope))
            return

        async def again(at_once: bool = False) -> Caller | None:
            return await ask(presented, at_once=at_once)

        state["again"] = again
        origin = origin_of(scope)
        caller = state["caller"] = await self._callers.introduced(ask, presented, origin)
        if caller is not None:
            self._calls.refuse_beyond(caller.holder)
            return
        if guarded:
            raise Unauthenticated("the key is not known here, or has expired or was revoked")
        self._strangers.refuse_beyond(origin)


def own_names(settings: ApiSettings) -> frozenset[str]:
    """Names under which this service may be asked, in lower case. Addresses need not be named."""
    return named(settings) | {"localhost", settings.host.lower(), socket.gethostname().lower()}


def named(settings: ApiSettings) -> frozenset[str]:
    """Names that an operator gave."""
    return frozenset(name.strip().lower() for name in settings.names.split(",") if name.strip())


def refuse_foreign_name(host: str, names: frozenset[str]) -> None:
    """Refuse a request that was sent to a name of somebody else's which was made to lead here (DNS rebinding).

    Raises:
        Misdirected: If the `Host` is neither an address nor one of the names.
    """
    if not _is_own(host, names):
        raise Misdirected(f"this is not {host[:100]!r}; name it in FILMLOOP_API__NAMES if it is")


@functools.lru_cache(maxsize=256)
def _is_own(host: str, names: frozenset[str]) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    name = name.strip("[]").lower()
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names
    return True


def refuse_foreign_origin(headers: Mapping[bytes, str], named: frozenset[str]) -> None:
    """Refuse what another page than our own lets a browser send: cookies come along with it.

    Args:
        headers: Of the request.
        named: Names of the service that a proxy may have put another `Host` in the place of. `localhost` is none: other
            programs of the machine have pages there, too.

    Raises:
        CrossOrigin: If the browser says that it comes from elsewhere, or does not say where from.
    """
    origin = headers.get(b"origin")
    if origin is not None:
        said = origin.partition("://")[2].lower()
        own = said == headers.get(b"host", "").lower() or said.partition(":")[0] in named
    else:
        own = headers.get(b"sec-fetch-site") == "same-origin"
    if not own:
        raise CrossOrigin("a browser may change something from our own pages only; programs send a key instead")


def _bearer(authorization: str | None) -> str | None:
    scheme, _, said = (authorization or "").partition(" ")
    return said.strip() if scheme.lower() == "bearer" else None


def _cookie(header: str | None) -> str | None:
    if header is None or COOKIE not in header:
        return None
    try:
        found = http.cookies.SimpleCookie(header).get(COOKIE)
    except http.cookies.CookieError:
        return None
    return None if found is None else found.value
