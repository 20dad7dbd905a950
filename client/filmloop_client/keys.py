"""Which key is sent: the one that is given, else the environment's, else that of a Filmloop on this very machine."""

import os
import sys
from pathlib import Path

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
FILE = "key"
"""In the data directory of a Filmloop, where `filmloop up` keeps its first key."""


def find(host: str, given: str | None) -> str | None:
    """The key to ask with; None if there is none.

    Args:
        host: Whom it will be sent to; the key of this machine's own Filmloop is for this machine only.
        given: A key that the caller has.
    """
    if found := given or os.environ.get("FILMLOOP_KEY"):
        return found
    if host not in LOOPBACK:
        return None
    try:
        return (data_dir() / FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def data_dir() -> Path:
    """Where a Filmloop on this machine keeps its data, if nobody told it otherwise."""
    if named := os.environ.get("FILMLOOP_DATA_DIR"):
        return Path(named).expanduser()
    home = Path.home()
    match sys.platform:
        case "darwin":
            base = home / "Library" / "Application Support"
        case "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
        case _:
            base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "filmloop"
