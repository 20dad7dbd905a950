"""Where the API listens: loopback only, on the wanted port or, if none was asked for, on a free one."""

from __future__ import annotations

import ipaddress
import socket

from service.embedded import CannotStart
from service.settings import ApiSettings


def check_loopback(host: str) -> None:
    """Refuse to listen where others could reach an API that asks nobody for a key.

    Raises:
        CannotStart: If `host` is not this machine itself.
    """
    try:
        inside = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise CannotStart(
            f"refusing to listen on {host}: the API has no keys yet, so it serves this machine only; use 127.0.0.1 "
            "(and a tunnel, such as ssh -L, to reach it from elsewhere)"
        )


def listen(api: ApiSettings) -> socket.socket:
    """Open the API's socket: on the port of the settings, or on a free one if it is taken and was nobody's wish.

    Raises:
        CannotStart: If a port that was asked for is taken.
    """
    try:
        return _listen(api.host, api.port)
    except OSError as error:
        if "port" in api.model_fields_set:
            raise CannotStart(
                f"cannot listen on port {api.port} of {api.host} ({error.strerror}); choose another --port, "
                "or leave it out to get a free one"
            ) from error
        return _listen(api.host, 0)


def base_url(host: str, port: int) -> str:
    """The address as clients write it."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class Knock:
    """One question whether the API can serve. It is asked before anyone is there to answer, and waits on the socket."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = socket.create_connection((host, port), timeout=1.0)
        self._connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

    def answer(self, wait_s: float) -> bool | None:
        """Whether it is ready; none if there is no answer within `wait_s`."""
        self._connection.settimeout(wait_s)
        try:
            status_line = self._connection.recv(64)
        except TimeoutError:
            return None
        except OSError:  # it died over the question
            return False
        return status_line.startswith(b"HTTP/1.1 200")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)
