"""What a page asks for: the record's sessions, who looks at it, and the ids in its address."""

from typing import Annotated

from fastapi import Depends, Path, Request

from service.errors import NotAllowed
from service.operations.keys import ADMIN, Caller
from service.store.session import Sessions

_ID = r"^[A-Za-z0-9_-]{1,64}$"


# A coroutine: FastAPI sends each plain function to a thread of its own, which costs more than it does.
async def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


async def _visitor(request: Request) -> Caller:
    visitor: Caller = request.scope["state"]["caller"]  # the guard of every page has seen to it that there is one
    return visitor


async def _admin(request: Request) -> Caller:
    visitor = await _visitor(request)
    if ADMIN not in visitor.scopes:
        raise NotAllowed(f"this page needs a key with the scope {ADMIN}; yours has not")
    return visitor


VisitorDependency = Annotated[Caller, Depends(_visitor)]
AdminDependency = Annotated[Caller, Depends(_admin)]
SessionsDependency = Annotated[Sessions, Depends(_sessions)]
CampaignId = Annotated[str, Path(pattern=_ID)]
FilmId = Annotated[str, Path(pattern=_ID)]
ModelVersionId = Annotated[str, Path(pattern=_ID)]
