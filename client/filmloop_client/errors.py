"""What can go wrong on the way to Filmloop, and who may try again."""

from collections.abc import Mapping
from typing import Any

import httpx


class FilmloopError(Exception):
    """Root of the client's errors: Filmloop refused, or could not be asked.

    Attributes:
        status: HTTP status of the answer; None if there was no answer.
        title: Short name of the problem.
        detail: What exactly was wrong, with the value and the bound.
        errors: One entry per offending field: `pointer`, `message` and, for tables, `row`.
        type: Stable name of the problem, e.g. `urn:filmloop:problem:not-found`.
        request_id: Quote it when you ask whoever runs the service.
        retry_after_s: Seconds that the service asks to wait before the next attempt, if it says so.
    """

    def __init__(
        self, title: str, *, status: int | None = None, detail: str = "", document: Mapping[str, Any] | None = None
    ) -> None:
        """Keep the parts of the problem and make a message a person can read."""
        document = document or {}
        self.status = status
        self.title = title
        self.detail = detail
        self.errors: list[dict[str, Any]] = [e for e in document.get("errors") or [] if isinstance(e, dict)]
        self.type = str(document.get("type") or "about:blank")
        self.request_id: str | None = document.get("request_id")
        self.retry_after_s: float | None = None
        super().__init__(self._message())

    def _message(self) -> str:
        head = f"{self.status} {self.title}" if self.status else self.title
        rows = [f"  {e.get('pointer', '')}: {e.get('message', '')}" for e in self.errors]
        return "\n".join([f"{head}: {self.detail}" if self.detail else head, *rows])


class BadRequest(FilmloopError):
    """400: the request could not be understood. Mend the caller; sending it again is pointless."""


class KeyRefused(FilmloopError):
    """401: no key, or one that is not known, has expired or was revoked. See `filmloop key`."""


class NotAllowed(FilmloopError):
    """403: the key has none of the scopes that this needs, or the lease's token is not the one that was given."""


class NotFound(FilmloopError):
    """404: no such campaign, film, proposal or lease."""


class Conflict(FilmloopError):
    """409: not possible in the present state; `detail` names it and what is allowed. Look again, then decide.

    A claim of a campaign whose budget is spent is one, of `type` `urn:filmloop:problem:budget-spent`.
    """


class Stale(FilmloopError):
    """412: somebody else changed it since it was read. Read it again, look, and decide anew."""


class TooLarge(FilmloopError):
    """413: the body is too large. Send smaller batches."""


class Invalid(FilmloopError):
    """422: content that breaks a rule; `errors` names each field and bound. Mend the data."""


class TooManyRequests(FilmloopError):
    """429, still after patient retries. Ask less often."""


class Unavailable(FilmloopError):
    """502, 503 or 504, still after patient retries. Nothing was lost: try again later with the same content."""


class ServerFault(FilmloopError):
    """Any other 5xx: a fault of the service. Report it with `request_id`."""


class Unreachable(FilmloopError):
    """No answer at all, still after patient retries: wrong address, network down, service stopped."""


_BY_STATUS: dict[int, type[FilmloopError]] = {
    400: BadRequest,
    401: KeyRefused,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    412: Stale,
    413: TooLarge,
    422: Invalid,
    429: TooManyRequests,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def from_response(response: httpx.Response) -> FilmloopError:
    """Turn an answer that is not a success into the error that names it, whether or not it is problem+json."""
    try:
        parsed = response.json()
    except ValueError:
        parsed = None
    document: dict[str, Any] = parsed if isinstance(parsed, dict) else {}
    kind = _BY_STATUS.get(response.status_code) or (ServerFault if response.is_server_error else FilmloopError)
    title = str(document.get("title") or response.reason_phrase or "error")
    detail = document.get("detail") or ("" if parsed is not None else response.text[:500])
    return kind(title, status=response.status_code, detail=str(detail), document=document)
