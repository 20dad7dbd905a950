"""The API as a process of its own: it starts without the science's engine and is soon ready."""

import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

HEAVY = ("torch", "botorch", "gpytorch", "celery", "scipy.stats")
LOADED = f"""
import sys
from service.app import create_app
create_app().openapi()
print(*(name for name in {HEAVY!r} if name in sys.modules))
"""
LIBRARIES = "alembic, fastapi, httpx, numpy, pydantic_settings, scipy.optimize, sqlalchemy.orm, structlog, uvicorn"
START_LIMIT = 2.5
"""From the start of its process until the API is ready, in times that its libraries alone take to load in the same
minute: 3 s where these take 1.2 s. In seconds it would be a limit of the machine, which may be half as fast today."""
STARTS = 5
"""Most starts that are measured."""


def environment(database_url: str) -> dict[str, str]:
    return os.environ | {"FILMLOOP_DATABASE__URL": database_url, "OMP_NUM_THREADS": "1"}


def test_the_api_loads_nothing_that_takes_long(database_url):
    done = subprocess.run(
        [sys.executable, "-c", LOADED], env=environment(database_url), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_the_api_is_ready_within_its_bound(database_url):
    """At the best of five starts: the machine may be slow for a while, a program that is too slow is so every time."""
    needed, loaded = [], []
    while not needed or (min(needed) >= START_LIMIT * min(loaded) and len(needed) < STARTS):
        needed.append(ready_after_s(database_url))
        loaded.append(processor_s([sys.executable, "-c", f"import {LIBRARIES}"]))
    assert min(needed) < START_LIMIT * min(loaded), (needed, loaded)


def processor_s(command: list[str]) -> float:
    """Seconds of processor time that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ready_after_s(database_url: str) -> float:
    """Seconds from the start of a process until it is ready, without those in which others had the processor."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "service.app:create_app", "--port", str(port)]
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment(database_url), stderr=subprocess.DEVNULL)
    try:
        while not is_ready(port):
            assert process.poll() is None
            time.sleep(0.02)
        elapsed_s, stood_aside_s = time.monotonic() - started, waited_for_processor_s(process.pid)
    finally:
        process.terminate()
        process.wait(20)
    print(f"ready after {elapsed_s:.2f} s, of which {stood_aside_s:.2f} s without a free processor")
    return elapsed_s - stood_aside_s


def waited_for_processor_s(pid: int) -> float:
    """Seconds in which the process could have run but other processes did: no part of what its start costs."""
    account = Path(f"/proc/{pid}/schedstat")
    return int(account.read_text().split()[1]) / 1e9 if account.exists() else 0.0


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_the_api_says_what_is_missing_when_it_has_no_database():
    env = {k: v for k, v in os.environ.items() if k != "FILMLOOP_DATABASE__URL"}
    command = [sys.executable, "-m", "uvicorn", "--factory", "service.app:create_app", "--port", "0"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "FILMLOOP_DATABASE__URL is not set" in done.stderr
