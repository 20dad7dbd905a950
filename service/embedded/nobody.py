"""As whom Postgres runs when we are root, which it refuses to be.

First choice is a user namespace: to the system the server stays root and owns its files, to itself it is `nobody`, so
no permission anywhere changes. Where that is forbidden (some containers) it really becomes `nobody`, with its
cluster under `/var/lib/filmloop`, because a directory that only root may enter stays closed to it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from service.embedded.process import CannotStart, Identity, spawn

NOBODY_ROOT = Path("/var/lib/filmloop")

log = logging.getLogger("filmloop.embedded")


def choose_identity(binaries: Path, data_dir: Path) -> Identity:
    """Find by trying as whom Postgres can run; a cluster that exists decides by where it is.

    Raises:
        CannotStart: If a cluster made in a user namespace exists, but namespaces are no longer permitted.
    """
    if os.geteuid() != 0:
        return "same"
    if any(nobodys_place(data_dir).glob("pg[0-9]*")):
        log.info("Postgres runs as nobody, as before: its files are in %s", nobodys_place(data_dir))
        return "nobody"
    if _runs(binaries, "namespace"):
        log.info("Postgres refuses root, so it runs in a user namespace of its own")
        return "namespace"
    if any(data_dir.glob("pg[0-9]*/PG_VERSION")):
        raise CannotStart(
            f"the database in {data_dir} was made in a user namespace, which this system now forbids to root; "
            "permit user namespaces or run as the directory's owner, not as root"
        )
    log.info("user namespaces are forbidden: Postgres runs as nobody, files in %s", nobodys_place(data_dir))
    return "nobody"


def check_owner(cluster: Path, identity: Identity) -> None:
    """Refuse a cluster of another user before Postgres refuses it in darker words.

    Raises:
        CannotStart: If it belongs to somebody else.
    """
    if not cluster.exists():
        return
    owner = cluster.stat().st_uid
    if owner != (pwd.getpwnam("nobody").pw_uid if identity == "nobody" else os.geteuid()):
        raise CannotStart(f"the database in {cluster} belongs to user {_name(owner)}; run Filmloop as that user")


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def nobodys_place(data_dir: Path) -> Path:
    """Where `nobody` keeps the cluster that belongs to `data_dir`."""
    return NOBODY_ROOT / hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]


def home_of_nobody(data_dir: Path) -> Path:
    """Make that place: owned by `nobody`, closed to everybody else."""
    place = nobodys_place(data_dir)
    NOBODY_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
    place.mkdir(mode=0o700, exist_ok=True)
    shutil.chown(place, "nobody")
    return place


def readable_copy(binaries: Path, home: Path) -> Path:
    """The binaries themselves if `nobody` may run them, else a copy (about 40 MB) in `home`."""
    if _runs(binaries, "nobody"):
        return binaries
    package = binaries.parent.parent
    target = home / "binaries"
    for source in (binaries.parent, package.with_name(f"{package.name}.libs")):
        shutil.copytree(source, target / source.relative_to(package.parent), symlinks=True, dirs_exist_ok=True)
    log.info("copied the Postgres binaries to %s, where nobody may run them", target)
    return target / binaries.relative_to(package.parent)


def _runs(binaries: Path, identity: Identity) -> bool:
    child = spawn([binaries / "postgres", "--version"], identity=identity, output=subprocess.DEVNULL)
    return child.wait() == 0
