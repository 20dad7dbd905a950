"""One request, told once: retried under one Idempotency-Key until it is answered or patience runs out."""

import copy
import json
import logging
import random
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from filmloop_client import keys
from filmloop_client.errors import Unreachable, from_response

logger = logging.getLogger("filmloop.client")

_RETRIED = frozenset({429, 502, 503, 504})
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


class Transport:
    """HTTP with safe retries. Threads may share one; a robot or instrument process needs only one.

    A POST carries an `Idempotency-Key` made once per logical call, so that a repeat after a lost answer has no second
    effect. Connection errors, timeouts, 429, 502, 503, 504 and a 409 that carries `Retry-After` (the first attempt is
    still being worked on) are retried. After a 401 the key is looked for again, and the call repeated if it is another
    one now; any other answer is final.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        timeout: float = 10.0,
        patience: float = 60.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Open a connection pool; nothing is sent yet.

        Args:
            base_url: Where the service listens, e.g. `http://127.0.0.1:8000`.
            key: Says who asks; see `filmloop_client.keys`.
            timeout: Seconds to wait for one answer.
            patience: Seconds after which a call that found no answer is given up.
            headers: Sent with every request.
        """
        self.patience = patience
        self.timeout = timeout
        # A proxy from the environment must not swallow requests to this very machine.
        host = httpx.URL(base_url).host
        self._given = key
        self._own_key = "authorization" not in {name.lower() for name in headers or {}}
        found = keys.find(host, key)
        sent = {**({} if found is None else {"Authorization": f"Bearer {found}"}), **(headers or {})}
        trust_env = host not in keys.LOOPBACK
        self._http = httpx.Client(base_url=base_url, timeout=timeout, headers=sent, trust_env=trust_env)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def impatient(self) -> "Transport":
        """One over the same connections that gives up at once, for callers that make their own pauses."""
        other = copy.copy(self)
        other.patience = 0.0
        return other

    @contextmanager
    def stream(
        self, path: str, *, params: Mapping[str, Any], headers: Mapping[str, str], silence_s: float
    ) -> Iterator[httpx.Response]:
        """Open an answer that does not end, in one attempt.

        Args:
            path: Below the base URL.
            params: Of the query.
            headers: For this call only.
            silence_s: The longest time without a byte; after it the connection counts as lost.

        Raises:
            httpx.TransportError: If there is no connection, or none any more.
            FilmloopError: If the answer is not a success.
        """
        timeout = httpx.Timeout(self.timeout, read=silence_s)
        request = self._http.build_request("GET", path, params=params, headers=headers, timeout=timeout)
        answer = self._http.send(request, stream=True)
        if self._has_new_key(request, answer):
            answer.close()
            answer = self._http.send(request, stream=True)
        with closing(answer):
            if not answer.is_success:
                answer.read()
                raise self._given_up(answer.request, answer)
            yield answer

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> httpx.Response:
        """Read; parameters that are None are left out.

        Raises:
            FilmloopError: If the answer is not a success.
        """
        given = {k: v for k, v in (params or {}).items() if v is not None}
        return self._send(self._http.build_request("GET", path, params=given))

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str | Sequence[str]] | None = None,
        wait_s: float = 0.0,
    ) -> httpx.Response:
        """Create or move something, once.

        Args:
            path: Below the base URL.
            body: Sent as JSON; NaN and infinity are refused here already.
            headers: For this call only.
            params: Of the query.
            wait_s: How long the service was asked to wait before it answers; added to the timeout.

        Raises:
            ValueError: If a number is NaN or infinite.
            FilmloopError: If the answer is not a success.
        """
        content = json.dumps(body, allow_nan=False).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        return self.post_content(path, content, headers=sent, params=params, wait_s=wait_s)

    def post_content(
        self,
        path: str,
        content: bytes,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, str | Sequence[str]] | None = None,
        wait_s: float = 0.0,
    ) -> httpx.Response:
        """Create something, once, from bytes; `headers` say what they are.

        Raises:
            FilmloopError: If the answer is not a success.
        """
        return self._write("POST", path, content, headers, params=params, wait_s=wait_s)

    def patch(self, path: str, body: Mapping[str, Any], *, headers: Mapping[str, str]) -> httpx.Response:
        """Change something, once; `headers` hold the `If-Match` that names the state to be changed.

        Raises:
            ValueError: If a number is NaN or infinite.
            FilmloopError: If the answer is not a success.
        """
        content = json.dumps(body, allow_nan=False).encode()
        return self._write("PATCH", path, content, {"Content-Type": "application/json", **headers})

    def _write(
        self,
        method: str,
        path: str,
        content: bytes,
        headers: Mapping[str, str],
        *,
        params: Mapping[str, str | Sequence[str]] | None = None,
        wait_s: float = 0.0,
    ) -> httpx.Response:
        sent = {"Idempotency-Key": str(uuid.uuid4()), **headers}
        timeout = httpx.Timeout(self.timeout, read=self.timeout + wait_s)
        request = self._http.build_request(
            method, path, content=content, headers=sent, params=params or None, timeout=timeout
        )
        return self._send(request)

    def _send(self, request: httpx.Request) -> httpx.Response:
        give_up = time.monotonic() + self.patience
        attempt = 0
        while True:
            answer = self._attempt(request)
            if isinstance(answer, httpx.Response) and not _retriable(answer):
                if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
                    return answer
                if self._has_new_key(request, answer):
                    continue
                raise from_response(answer)
            pause = _pause(attempt, answer)
            if time.monotonic() + pause > give_up:
                raise self._given_up(request, answer)
            logger.info("%s %s: %s; again in %.1f s", request.method, request.url.path, _reason(answer), pause)
            time.sleep(pause)
            attempt += 1

    def _attempt(self, request: httpx.Request) -> httpx.Response | httpx.TransportError:
        try:
            return self._http.send(request)
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError):
            raise  # the caller's mistake: it will not get better
        except httpx.TransportError as error:
            return error

    def _has_new_key(self, request: httpx.Request, answer: httpx.Response) -> bool:
        """Whether the key was refused and another one is kept now, as after a rotation; it is sent from now on."""
        if answer.status_code != httpx.codes.UNAUTHORIZED or not self._own_key:
            return False
        found = keys.find(request.url.host, self._given)
        sent = f"Bearer {found}"
        if found is None or request.headers.get("Authorization") == sent:
            return False
        request.headers["Authorization"] = self._http.headers["Authorization"] = sent
        return True

    def _given_up(self, request: httpx.Request, answer: httpx.Response | httpx.TransportError) -> Exception:
        if isinstance(answer, httpx.Response):
            error = from_response(answer)
            error.retry_after_s = retry_after(answer)
            return error
        within = f" within {self.patience:g} s" if self.patience else ""
        return Unreachable(
            f"no answer from {request.url.copy_with(path='/', query=None)}{within}",
            detail=_reason(answer),
        )


def _retriable(answer: httpx.Response) -> bool:
    in_flight = answer.status_code == httpx.codes.CONFLICT and "Retry-After" in answer.headers
    return answer.status_code in _RETRIED or in_flight


def _reason(answer: httpx.Response | httpx.TransportError) -> str:
    if isinstance(answer, httpx.Response):
        return f"status {answer.status_code}"
    return f"{type(answer).__name__}: {answer}" if str(answer) else type(answer).__name__


def _pause(attempt: int, answer: httpx.Response | httpx.TransportError) -> float:
    """Seconds before the next attempt: doubled each time up to a cap, jittered, never less than `Retry-After`."""
    ceiling = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(attempt, 16))
    jittered = ceiling * random.uniform(0.5, 1.0)  # noqa: S311  (spreads clients in time; not a secret)
    asked = retry_after(answer) if isinstance(answer, httpx.Response) else None
    return max(jittered, asked or 0.0)


def retry_after(answer: httpx.Response) -> float | None:
    """Seconds that the service asks to wait, from `Retry-After` as a number or a date; None if it does not say."""
    header = answer.headers.get("Retry-After")
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass  # not a number, so it may be a date
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
