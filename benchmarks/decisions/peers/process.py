"""A peer's process: started in its own environment, asked by one JSON line, answers by one JSON line."""

import json
import os
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

WORKERS = Path(__file__).parent
VARIABLE = "FILMLOOP_PEERS"


class PeerAbsent(Exception):
    """No environment for the peers was named; the message says how to make one."""


class PeerFailed(Exception):
    """A peer's process ended or answered an error; its campaign is not counted."""


class PeerProcess:
    """One worker script under the peers' Python."""

    def __init__(self, script: str) -> None:
        """Start it.

        Raises:
            PeerAbsent: If `FILMLOOP_PEERS` names no Python.
        """
        python = os.environ.get(VARIABLE)
        if python is None or not Path(python).is_file():
            raise PeerAbsent(f"{VARIABLE} must name the Python of an environment made with decisions/peers.txt")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        self._process = subprocess.Popen(
            [python, str(WORKERS / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Ask once and wait for the answer.

        Raises:
            PeerFailed: If the process ended or answered an error.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise PeerFailed(f"the peer's process ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerFailed(str(answer["error"]))
        return answer


@lru_cache(maxsize=8)
def peer(script: str, name: str = "") -> PeerProcess:
    """The process of a worker script and peer, started once: loading a peer takes seconds.

    It ends with this process, when its questions end.
    """
    del name
    return PeerProcess(script)
