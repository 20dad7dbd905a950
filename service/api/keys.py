"""Where keys are made, replaced and ended, and where one reads who changed what."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.orm import Session

from service.api.dependencies import (
    LARGEST_SEQ,
    After,
    CallersDependency,
    Limit,
    Once,
    OnceDependency,
    SessionsDependency,
)
from service.api.replies import answer_once, reply
from service.api.schemas.fields import Identifier, Page
from service.api.schemas.keys import AuditRead, KeyCreate, KeyMade, KeyRead, KeyRotate
from service.operations import audit, keys
from service.operations.idempotency import Body
from service.operations.keys import Made
from service.store.session import Sessions

router = APIRouter(tags=["operator"])

KeyId = Annotated[str, Path(pattern=r"^[0-9a-z]{8}$", description="Id of a key.", examples=["3f8m2k9d"])]


@router.get("/keys")
def list_keys(sessions: SessionsDependency, after: After = None, limit: Limit = 100) -> Page[KeyRead]:
    """Every key, valid or not; never a secret."""
    with sessions() as session:
        found = [KeyRead.of(key) for key in keys.page(session, after, limit + 1)]
    return Page(items=found[:limit], next=found[limit - 1].id if len(found) > limit else None)


@router.post("/keys", status_code=201, response_model=KeyMade)
def create_key(said: KeyCreate, once: OnceDependency, sessions: SessionsDependency) -> Response:
    """Make a key. Its secret is told in this answer and never again."""
    by = once.door.caller.key_id
    return _told(
        sessions,
        once,
        lambda session: keys.create(
            session, said.name, said.scopes, campaigns=said.campaigns, expires_at=said.expires_at, by=by
        ),
    )


@router.get("/keys/{key_id}")
def read_key(key_id: KeyId, sessions: SessionsDependency) -> KeyRead:
    """What may be told of a key."""
    with sessions() as session:
        return KeyRead.of(keys.get(session, key_id))


@router.post("/keys/{key_id}/rotation", status_code=201, response_model=KeyMade)
def rotate_key(key_id: KeyId, said: KeyRotate, once: OnceDependency, sessions: SessionsDependency) -> Response:
    """Make a key in the place of this one, which is good for a while still.

    Scopes and campaigns are those of the old one; without an end of its own it lasts as long as the old one was made
    for. A key that a machine keeps in a file has to be replaced there: `filmloop key rotate` does both. A request that
    was sent with the old one may be repeated with the new one.
    """
    by, overlap = once.door.caller.key_id, timedelta(seconds=said.overlap_s)
    return _told(
        sessions,
        once,
        lambda session: keys.rotate(session, key_id, overlap=overlap, expires_at=said.expires_at, by=by),
    )


@router.post("/keys/{key_id}/revocation", response_model=KeyRead)
def revoke_key(
    key_id: KeyId, once: OnceDependency, sessions: SessionsDependency, callers: CallersDependency
) -> Response:
    """End a key and every browser's session that was opened with it; it is refused everywhere within 5 s."""

    def effect(session: Session) -> tuple[int, Body]:
        revoked = keys.revoke(session, key_id, by=once.door.caller.key_id)
        return 200, KeyRead.of(revoked).model_dump(mode="json")

    answer = answer_once(sessions, once, effect, noted=False)
    callers.forget()
    return reply(answer)


@router.get("/audit")
def list_audit(
    sessions: SessionsDependency,
    after: Annotated[int, Query(ge=0, le=LARGEST_SEQ, description="`next` of the page before.")] = 0,
    limit: Limit = 100,
    key: Annotated[str | None, Query(pattern=r"^[0-9a-z]{8}$", description="Only what this key changed.")] = None,
    campaign: Annotated[Identifier | None, Query(description="Only what was changed in this campaign.")] = None,
) -> Page[AuditRead]:
    """Who changed what, oldest first. Nothing is ever taken away from it."""
    with sessions() as session:
        entries = audit.page(session, after, limit + 1, key_id=key, campaign_id=campaign)
    found = [AuditRead.of(entry) for entry in entries]
    return Page(items=found[:limit], next=str(found[limit - 1].number) if len(found) > limit else None)


def _told(sessions: Sessions, once: Once, make: Callable[[Session], Made]) -> Response:
    """A new key with its secret, which is not kept with the answer."""
    secrets: list[str] = []

    def effect(session: Session) -> tuple[int, Body]:
        made = make(session)
        secrets.append(made.secret)
        return 201, KeyRead.of(made.key).model_dump(mode="json")

    answer = answer_once(sessions, once, effect, noted=False)
    secret = None if answer.replayed else secrets[0]
    response = reply(answer._replace(body=answer.body | {"secret": secret}))
    response.headers["Location"] = f"/v1/keys/{answer.body['id']}"
    response.headers["Cache-Control"] = "no-store"
    return response
