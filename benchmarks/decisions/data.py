"""Where the real data lie: a folder beside the checkout, or the one that `FILMLOOP_DATA` names."""

import os
from pathlib import Path

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
"""`../shared/data`, seen from the checkout."""


class DataAbsent(Exception):
    """The data of a task are not on this machine; a benchmark ends and a test is skipped with this sentence."""


def data_file(folder: str, name: str) -> Path:
    """Path of one data file.

    Raises:
        DataAbsent: If it is not there.
    """
    path = Path(os.environ.get("FILMLOOP_DATA", BESIDE)) / folder / name
    if not path.is_file():
        raise DataAbsent(f"{folder}/{name} was not found in ../shared/data beside the checkout nor in FILMLOOP_DATA")
    return path
