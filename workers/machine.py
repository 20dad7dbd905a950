"""What this machine is: on another one the last digits of a result may be others."""

import platform
from functools import cache
from pathlib import Path


@cache
def processor() -> str:
    """Architecture and model of the processor, as far as the system tells."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(errors="replace").splitlines() if told.exists() else []
    named = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return f"{platform.machine()} {named or platform.processor()}".strip()
