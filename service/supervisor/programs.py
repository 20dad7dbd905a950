"""Which processes make Filmloop: their commands and their environment."""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from pathlib import Path

import service
from service.settings import Settings

ROOT_WARNING = "You're running the worker with superuser privileges"
"""Celery's concern is unpickling, and our messages are JSON."""
NO_KEYS = 3
"""Exit status of the migration if the API must not listen where it was told to."""


def migrate_command() -> list[str]:
    """Bring the schema up to date and make the first key, then end."""
    return [sys.executable, "-P", "-m", "service.cli", "migrate", "--first-key"]


def api_command(descriptor: int) -> list[str]:
    """The HTTP service, one process, on a socket that it inherits."""
    return [sys.executable, "-P", "-m", "service.supervisor.serve", str(descriptor)]


def worker_command(name: str, application: str = "workers.app:app", queue: str = "decide") -> list[str]:
    """A worker of the solo pool: one process that keeps its models warm and never forks after torch."""
    return [
        *(
            sys.executable,
            "-P",
            "-W",
            f"ignore:{ROOT_WARNING}",
            "-m",
            "celery",
            "--quiet",
            "-A",
            application,
            "worker",
        ),
        *("--pool", "solo", "--queues", queue, "--prefetch-multiplier", "1", "--hostname", f"{name}@%h"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"),
    ]


def hostname(settings: Settings, name: str) -> str:
    """A worker's name among all that share a database: another data directory has workers of the same short names.

    It outlives a restart, so that a new process can give back what the last one of its name was doing.
    """
    return f"{name}-{hashlib.sha256(os.fsencode(settings.data_dir)).hexdigest()[:8]}"


def summons(settings: Settings) -> Path:
    """The file by which housekeeping says that a training waits."""
    return settings.data_dir / "trainer.wanted"


def housekeeping_command() -> list[str]:
    """The sweep that finds whatever no message announced."""
    return [sys.executable, "-P", "-m", "workers.housekeeping"]


def child_environment(settings: Settings, database_url: str, broker_url: str, port: int) -> dict[str, str]:
    """The parent's environment plus the settings as they came out, so that every process sees the same ones."""
    threads = str(settings.worker.threads)
    return os.environ | {
        "FILMLOOP_DATA_DIR": str(settings.data_dir),
        "FILMLOOP_DATABASE__URL": database_url,
        "FILMLOOP_DATABASE__POOL_SIZE": str(settings.database.pool_size),
        "FILMLOOP_BROKER__URL": broker_url,
        "FILMLOOP_API__HOST": settings.api.host,
        "FILMLOOP_API__PORT": str(port),
        "FILMLOOP_LOG__LEVEL": settings.log.level,
        "FILMLOOP_LOG__JSON": str(settings.log.as_json).lower(),
        "FILMLOOP_WORKER__THREADS": threads,
        "FILMLOOP_WORKER__DEVICE": settings.worker.device,
        "FILMLOOP_WORKER__DETERMINISTIC": str(settings.worker.deterministic).lower(),
        **({} if settings.worker.memory_mb is None else {"FILMLOOP_WORKER__MEMORY_MB": str(settings.worker.memory_mb)}),
        "FILMLOOP_WORKER__SUMMONS": str(summons(settings)),
        "FILMLOOP_WORKER__SILENT_S": str(settings.worker.silent_s),
        "FILMLOOP_WORKER__SWEEP_S": str(settings.worker.sweep_s),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": _python_path(),
    }


def _python_path() -> str:
    """Children start in `/`, so relative entries become absolute; a source tree that is not installed is added."""
    entries = [str(Path(entry).absolute()) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    home = Path(service.__path__[0]).parent
    if str(home) not in {*entries, sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        entries.append(str(home))
    return os.pathsep.join(entries)
