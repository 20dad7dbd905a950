"""What the service says by itself, for messages that come to a page as answers of the API."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from service.web import phrases
from service.web.rendering import language_of

router = APIRouter()


class Asked(BaseModel):
    """Messages as they came."""

    texts: list[Annotated[str, Field(max_length=10_000)]] = Field(max_length=200)


@router.post("/said")
def say(request: Request, asked: Asked) -> Response:
    """Each message in the visitor's language, in stretches; one that stays English says so."""
    language = language_of(request)
    return JSONResponse({"said": [phrases.said(language, text) for text in asked.texts]})
