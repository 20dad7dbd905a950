"""What a visitor may choose of the pages themselves: language and theme. Kept in cookies, not in the record."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response

from service.web.catalogue import LANGUAGES
from service.web.rendering import LANGUAGE_COOKIE, STATIC, THEME_COOKIE, THEMES

router = APIRouter()

A_YEAR_S = 365 * 86_400


@router.get("/preferences")
def prefer(
    language: Annotated[str | None, Query(max_length=8)] = None,
    theme: Annotated[str | None, Query(max_length=8)] = None,
    back: Annotated[str, Query(alias="next", max_length=2000)] = "/",
) -> Response:
    """Keep a choice and go back to where it was made."""
    answer = RedirectResponse(own(back), status_code=303)
    for name, wanted, known in ((LANGUAGE_COOKIE, language, LANGUAGES), (THEME_COOKIE, theme, THEMES)):
        if wanted in known:
            answer.set_cookie(name, str(wanted), max_age=A_YEAR_S, httponly=True, samesite="strict")
    return answer


@router.get("/favicon.ico")
def favicon() -> Response:
    """The sign of Filmloop in the browser's tab."""
    return Response((STATIC / "filmloop.svg").read_bytes(), media_type="image/svg+xml")


def own(address: str) -> str:
    """An address of our own, or the first page: nobody is sent elsewhere by a link to us."""
    inside = address.startswith("/") and not address.startswith(("//", "/\\"))
    inside = inside and not {"{", "}"} & set(address)  # a page would fill braces
    return address if inside and address.isprintable() else "/"
