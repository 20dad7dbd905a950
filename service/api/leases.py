"""Where a robot reports on the film that it holds."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Response
from sqlalchemy.orm import Session

from service.api.dependencies import BellDependency, LeaseId, Once, OnceDependency, SessionsDependency
from service.api.problems import answers
from service.api.replies import answer_once, reply
from service.api.schemas.claims import FilmComplete, FilmFail, FilmStartedRead, LeaseRead
from service.api.schemas.films import FilmRead
from service.api.schemas.proposals import ProposalRead
from service.operations import films, leases
from service.operations.idempotency import Body
from service.operations.leases import Moved
from service.store.bell import Bell
from service.store.session import Sessions

router = APIRouter(tags=["robot"], responses=answers(403))

LeaseToken = Annotated[
    str, Header(alias="Lease-Token", min_length=1, max_length=200, description="Secret of the lease.")
]


@router.post("/leases/{lease_id}/renew", response_model=LeaseRead)
def renew_lease(
    lease_id: LeaseId, lease_token: LeaseToken, once: OnceDependency, sessions: SessionsDependency, bell: BellDependency
) -> Response:
    """Let the lease run anew; an overdue film is in the making again."""

    def effect(session: Session) -> tuple[Moved, Body]:
        moved = leases.renew(session, lease_id, lease_token)
        return moved, LeaseRead.model_validate(moved.lease).model_dump(mode="json")

    return _act(sessions, once, bell, effect)


@router.post("/leases/{lease_id}/start", response_model=FilmStartedRead)
def start_film(
    lease_id: LeaseId, lease_token: LeaseToken, once: OnceDependency, sessions: SessionsDependency, bell: BellDependency
) -> Response:
    """Begin to make the film: from here on material is spent."""

    def effect(session: Session) -> tuple[Moved, Body]:
        moved = leases.start(session, lease_id, lease_token)
        body = FilmStartedRead(
            lease=LeaseRead.model_validate(moved.lease),
            proposal=ProposalRead.model_validate(moved.proposal),
            film_id=moved.film_id or "",
        )
        return moved, body.model_dump(mode="json")

    return _act(sessions, once, bell, effect)


@router.post("/leases/{lease_id}/complete", response_model=FilmRead)
def complete_film(
    *,
    lease_id: LeaseId,
    lease_token: LeaseToken,
    result: FilmComplete,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Report the film as made, with its compositions if they are known; the lease ends."""

    def effect(session: Session) -> tuple[Moved, Body]:
        moved = leases.complete(
            session, lease_id, lease_token, result.outcome, compositions=result.compositions, note=result.note
        )
        return moved, _film(session, moved)

    return _act(sessions, once, bell, effect)


@router.post("/leases/{lease_id}/fail", response_model=FilmRead)
def fail_film(
    *,
    lease_id: LeaseId,
    lease_token: LeaseToken,
    why: FilmFail,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Give up a film whose making was started; the lease ends."""

    def effect(session: Session) -> tuple[Moved, Body]:
        moved = leases.fail(session, lease_id, lease_token, why.outcome, reason=why.reason)
        return moved, _film(session, moved)

    return _act(sessions, once, bell, effect)


@router.post("/leases/{lease_id}/release", response_model=ProposalRead)
def release_film(
    lease_id: LeaseId, lease_token: LeaseToken, once: OnceDependency, sessions: SessionsDependency, bell: BellDependency
) -> Response:
    """Give a film back that was not started; the lease ends."""

    def effect(session: Session) -> tuple[Moved, Body]:
        moved = leases.release(session, lease_id, lease_token)
        return moved, ProposalRead.model_validate(moved.proposal).model_dump(mode="json")

    return _act(sessions, once, bell, effect)


def _act(sessions: Sessions, once: Once, bell: Bell, effect: Callable[[Session], tuple[Moved, Body]]) -> Response:
    to_ring: list[str | None] = []

    def with_status(session: Session) -> tuple[int, Body]:
        moved, body = effect(session)
        to_ring.append(moved.job_id)
        return 200, body

    answer = answer_once(sessions, once, with_status)
    for job_id in to_ring:
        bell.ring(job_id)
    return reply(answer)


def _film(session: Session, moved: Moved) -> Body:
    return FilmRead.model_validate(films.get(session, moved.film_id or "")).model_dump(mode="json")
