"""Naive variants of the API, each without one care: `python -m benchmarks.faults.naive NAME FILE_DESCRIPTOR`.

Each runs in a process of its own, where a part of the service may be replaced for good.
"""

import asyncio
import socket
import sys
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.keys import Introduced
from service.api import limits
from service.app import create_app
from service.operations import leases as under_lease
from service.store import artifacts, campaigns, events, idempotency, leases, proposals, schema
from service.store import session as store_session
from service.store.session import Sessions
from service.store.tables import IdempotencyRow, ProposalRow

Work = Coroutine[Any, Any, object]


async def _body(receive: Receive) -> bytes:
    """All of a request's body."""
    body: bytes = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return body


async def _ask(app: ASGIApp, scope: Scope, body: bytes, headers: dict[bytes, bytes]) -> tuple[int, bytes]:
    """Let the service answer a request; status and body."""
    said: list[Message] = []
    asked = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(asked, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        said.append(message)

    changed = dict(scope["headers"]) | headers | {b"content-length": str(len(body)).encode()}
    await app(dict(scope) | {"headers": list(changed.items())}, receive, send)
    return said[0]["status"], b"".join(bytes(message.get("body", b"")) for message in said[1:])


def _is_batch(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] == "POST" and str(scope["path"]).endswith("/measurement-batches")


def _json(status: int, body: object) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def acknowledges_first() -> ASGIApp:
    """Says 201 and stores afterwards, one batch after the other."""
    inner = create_app()
    waiting: asyncio.Queue[Work] = asyncio.Queue()

    async def store() -> None:
        while True:
            await (await waiting.get())

    kept: list[asyncio.Task[None]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_batch(scope):
            await inner(scope, receive, send)
            return
        if not kept:
            kept.append(asyncio.create_task(store()))
        waiting.put_nowait(_ask(inner, scope, await _body(receive), {}))
        await _json(201, {})(scope, receive, send)

    return app


def row_by_row() -> ASGIApp:
    """Stores each row of a batch in a transaction of its own."""
    inner = create_app()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_batch(scope):
            await inner(scope, receive, send)
            return
        whole = orjson.loads(await _body(receive))
        key = dict(scope["headers"])[b"idempotency-key"]
        for number, row in enumerate(whole["measurements"]):
            own = {b"idempotency-key": key + b"-" + str(number).encode()}
            status, said = await _ask(inner, scope, orjson.dumps(whole | {"measurements": [row]}), own)
        await Response(said, status, media_type="application/json")(scope, receive, send)

    return app


def forgets_keys() -> ASGIApp:
    """Treats every request as a new one, whatever its Idempotency-Key."""
    inner = create_app()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            headers = dict(scope["headers"]) | {b"idempotency-key": uuid.uuid4().hex.encode()}
            scope = dict(scope) | {"headers": list(headers.items())}
        await inner(scope, receive, send)

    return app


def checks_then_inserts() -> ASGIApp:
    """Looks whether a key was served, and keeps the answer afterwards; nothing holds the key in between."""

    def always(session: Session, scope: str, key: str) -> bool:  # noqa: ARG001 - what it stands for takes them
        return True

    def keep(
        session: Session, scope: str, key: str, *, request_hash: str, status: int, body: dict[str, Any], **_: object
    ) -> None:
        values = {"scope": scope, "key": key, "request_hash": request_hash, "status": status, "body": body}
        session.execute(insert(IdempotencyRow).values(values).on_conflict_do_nothing())

    idempotency.try_lock = always
    idempotency.keep = keep
    return create_app()


def selects_then_updates() -> ASGIApp:
    """Claims by looking for a ready film and marking it afterwards; every later call is believed."""
    inner = create_app()

    def claim(sessions: Sessions, campaign_id: str) -> Response:
        with sessions.begin() as session:
            ready = session.execute(
                select(ProposalRow.id, ProposalRow.fence)
                .where(ProposalRow.campaign_id == campaign_id, ProposalRow.state == "ready")
                .order_by(ProposalRow.rank)
                .limit(1)
            ).one_or_none()
            if ready is None:
                return Response(status_code=204)
            fence = ready.fence + 1
            change = update(ProposalRow).where(ProposalRow.id == ready.id).values(state="leased", fence=fence)
            session.execute(change)
        lease = {"id": ready.id, "token": "none", "fence": fence}
        return _json(201, {"lease": lease, "proposal": {"id": ready.id}})

    def act(sessions: Sessions, proposal_id: str, action: str) -> Response:
        to = {"start": "running", "complete": "made", "release": "ready"}[action]
        with sessions.begin() as session:
            session.execute(update(ProposalRow).where(ProposalRow.id == proposal_id).values(state=to))
        return _json(200, {})

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        parts = scope.get("path", "").split("/")
        if parts[-1] == "claims":
            work: Callable[[], Response] = lambda: claim(inner.state.sessions, parts[3])  # noqa: E731
        elif parts[2:3] == ["leases"]:
            work = lambda: act(inner.state.sessions, parts[3], parts[4])  # noqa: E731
        else:
            await inner(scope, receive, send)
            return
        await _body(receive)
        await (await run_in_threadpool(work))(scope, receive, send)

    return app


def believes_every_lease() -> ASGIApp:
    """Moves a film for whoever once had its lease: neither the lease nor the fence is looked at."""
    guarded = proposals.move

    def hold(session: Session, lease_id: str, token: str, action: str) -> Any:  # noqa: ANN401, ARG001
        lease = leases.get(session, lease_id)
        proposal = proposals.get(session, lease.proposal_id)
        config = campaigns.config(session, lease.campaign_id, proposal.config_revision)
        return under_lease._Held(lease, proposal, config)

    def move(*given: Any, fence: int | None = None, **more: Any) -> ProposalRow | None:  # noqa: ANN401, ARG001
        return guarded(*given, **more)

    under_lease._hold = hold
    proposals.move = move
    return create_app()


def starts_at_now() -> ASGIApp:
    """A stream of events begins with the next one, also for a reader who says which was its last."""
    inner: FastAPI = create_app()

    def newest(campaign_id: str) -> int:
        with inner.state.sessions() as session:
            return events.newest(session, campaign_id)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/events"):
            now = await run_in_threadpool(newest, scope["path"].split("/")[3])
            headers = dict(scope["headers"]) | {b"last-event-id": str(now).encode()}
            scope = dict(scope) | {"headers": list(headers.items())}
        await inner(scope, receive, send)

    return app


def hurries_commits() -> ASGIApp:
    """Asks for commits that are answered before they are written."""
    store_session._OPTIONS += " -c synchronous_commit=off"
    schema.refuse_other = lambda engine: None  # noqa: ARG005
    return create_app()


def believes_files() -> ASGIApp:
    """Reads a model's file without looking at its hash."""
    artifacts.load = lambda folder, sha256: artifacts._path(folder, sha256).read_bytes()
    return create_app()


def begins_early() -> ASGIApp:
    """Takes a connection of the database before it reads the body, and waits for the body however long it takes."""
    limits.SILENT_S = limits.LONGEST_S = 3600.0
    defaults = limits.BoundedBody.__init__.__kwdefaults__
    defaults.update(silent_s=3600.0, longest_s=3600.0)
    inner = create_app()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_batch(scope):
            await inner(scope, receive, send)
            return
        session = await run_in_threadpool(inner.state.sessions)
        try:
            await run_in_threadpool(session.connection)
            await run_in_threadpool(session.execute, text("select 1"))
            await inner(scope, receive, send)
        finally:
            await run_in_threadpool(session.close)

    return app


VARIANTS: dict[str, Callable[[], ASGIApp]] = {
    variant.__name__: variant
    for variant in (
        acknowledges_first,
        row_by_row,
        forgets_keys,
        checks_then_inserts,
        selects_then_updates,
        believes_every_lease,
        starts_at_now,
        hurries_commits,
        believes_files,
        begins_early,
    )
}


def main(name: str, descriptor: int) -> None:
    """Serve a variant until SIGTERM."""
    config = uvicorn.Config(
        lambda: Introduced(VARIANTS[name]()), factory=True, access_log=False, timeout_graceful_shutdown=5
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
