"""Where the API listens: on the wanted port or, if none was asked for, on a free one."""

from __future__ import annotations

import ipaddress
import socket

from service.embedded import CannotStart
from service.settings import ApiSettings

EVERY_ADDRESS = {str(ipaddress.IPv4Address(0)): "127.0.0.1", "::": "::1"}
"""What a socket that listens everywhere says of itself, and how this machine reaches it."""


def listen(api: ApiSettings) -> socket.socket:
    """Take the API's address: the port of the settings, or a free one if it is taken and was nobody's wish.

    Beyond this machine nobody is heard before `open_to_all`.

    Raises:
        CannotStart: If a port that was asked for is taken.
    """
    take = _listen if api.on_loopback else _taken
    try:
        return take(api.host, api.port)
    except OSError as error:
        if "port" in api.model_fields_set:
            raise CannotStart(
                f"cannot listen on port {api.port} of {api.host} ({error.strerror}); choose another --port, "
                "or leave it out to get a free one"
            ) from error
        return take(api.host, 0)


def base_url(host: str, port: int) -> str:
    """The address as clients on this machine write it; one that means every address is none to call."""
    if host in EVERY_ADDRESS:
        host = EVERY_ADDRESS[host]
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


BACKLOG = 1024
"""Callers that wait while the API restarts."""


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def open_to_all(listener: socket.socket) -> None:
    """Let callers be heard from now on."""
    listener.listen(BACKLOG)


def _taken(host: str, port: int) -> socket.socket:
    taken = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
    except OSError:
        taken.close()
        raise
    return taken
