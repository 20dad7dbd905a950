"""Where the API listens: loopback only, on the wanted port or, if none was asked for, on a free one."""

from __future__ import annotations

import http.client
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


def choose_port(api: ApiSettings) -> int:
    """The port of the settings, or a free one if it is taken and was nobody's wish.

    Raises:
        CannotStart: If a port that was asked for is taken.
    """
    try:
        return _probe(api.host, api.port)
    except OSError as error:
        if "port" in api.model_fields_set:
            raise CannotStart(
                f"cannot listen on port {api.port} of {api.host} ({error.strerror}); choose another --port, "
                "or leave it out to get a free one"
            ) from error
        return _probe(api.host, 0)


def base_url(host: str, port: int) -> str:
    """The address as clients write it."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def is_ready(host: str, port: int) -> bool:
    """Whether the API answers that it can serve."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _probe(host: str, port: int) -> int:
    """Listen for a moment, as the API will; a connection that just closed does not count as taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen()
        bound: int = probe.getsockname()[1]
    return bound
