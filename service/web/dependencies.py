"""What a page asks for: the record's sessions, and the ids in its address."""

from typing import Annotated

from fastapi import Depends, Path, Request

from service.store.session import Sessions

_ID = r"^[A-Za-z0-9_-]{1,64}$"


# A coroutine: FastAPI sends each plain function to a thread of its own, which costs more than it does.
async def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


SessionsDependency = Annotated[Sessions, Depends(_sessions)]
CampaignId = Annotated[str, Path(pattern=_ID)]
FilmId = Annotated[str, Path(pattern=_ID)]
