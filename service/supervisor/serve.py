"""The API's process, on a socket that the supervisor opened: `python -m service.supervisor.serve FILE_DESCRIPTOR`.

The supervisor keeps the socket while the API restarts. So nobody can take the port meanwhile, and a robot that calls in
those seconds waits for its answer instead of being refused.
"""

from __future__ import annotations

import socket
import sys

import uvicorn

GRACE_S = 5
"""How long requests under way may take when the API is asked to stop."""
KEPT_S = 75
"""How long an idle connection is kept: longer than callers keep theirs. So they end it, and no call is sent into
one that is just being closed."""


def main(descriptor: int, app: str = "service.app:create_app") -> None:
    """Serve until SIGTERM what a function makes."""
    config = uvicorn.Config(
        app, factory=True, access_log=False, timeout_keep_alive=KEPT_S, timeout_graceful_shutdown=GRACE_S
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
