"""Where a Chromium is, for all that looks at pages."""

import os
import shutil

ABSENT = "there is no Chromium: apt-get install chromium, or name one in FILMLOOP_CHROMIUM"


def chromium() -> str | None:
    """Debian's, or the one that FILMLOOP_CHROMIUM names; None if there is none."""
    return os.environ.get("FILMLOOP_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
