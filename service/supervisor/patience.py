"""A line on the terminal while something takes long: how long so far, and how large its file has become."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

_FIRST_S, _AGAIN_S = 1.0, 0.5


@contextmanager
def shown(doing: str, file: Path | None = None, terminal: TextIO | None = None) -> Iterator[None]:
    """Say on standard error that it goes on, for the length of a `with` block; nothing if nobody looks.

    Args:
        doing: What goes on.
        file: The one that grows.
        terminal: Standard error if left out; anything else than a terminal is told nothing.
    """
    out = sys.stderr if terminal is None else terminal
    if not out.isatty():
        yield
        return
    over, began = threading.Event(), time.monotonic()

    def tell() -> None:
        pause, said = _FIRST_S, False
        while not over.wait(pause):
            size = f", {file.stat().st_size / 2**20:.1f} MiB" if file is not None and file.exists() else ""
            out.write(f"\r{doing} … {time.monotonic() - began:.0f} s{size}  ")
            out.flush()
            pause, said = _AGAIN_S, True
        if said:
            out.write("\r\x1b[K")
            out.flush()

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
