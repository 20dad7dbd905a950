"""A real server on a free port for small apps."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn


@contextmanager
def serving(app) -> Iterator[httpx.Client]:
    """Serve `app` with uvicorn in a thread, on a socket that is bound before the first request."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()


@pytest.fixture(scope="module")
def serve() -> Iterator:
    """Call it with an app to get a client of it."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(serving(app))
