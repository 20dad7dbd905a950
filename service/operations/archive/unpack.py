"""Write a campaign from its archive into this database: every id, revision and hash as it was."""

import hashlib
import io
import itertools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson
from psycopg.errors import DataError as BadData
from psycopg.errors import IntegrityError as Contradiction
from sqlalchemy import Table
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from service.errors import Conflict, InvalidInput, NotFound
from service.operations.archive.own import Own
from service.operations.archive.pack import FORMAT, MANIFEST
from service.operations.campaigns import Campaign, get
from service.store import archive, arrays, artifacts, campaigns, datasets, events, proposals
from service.store.films import overdue_all
from service.store.schema import head as schema_head

MOST_UNPACKED = 4 * 1024**3
"""Bytes; beyond it an archive is refused before it is unpacked."""
MOST_HELD = 256 * 1024**2
"""Bytes of one model, array or row: each is held in memory."""
MOST_FILES = 200_000
_AT_ONCE = 5_000
_CAMPAIGN_ID = re.compile(r"cmp_[0-9a-z]{26}")
_LIVE = {"active": "paused", "draining": "paused"}


def unpack(session: Session, file: IO[bytes], artifacts_dir: Path) -> Campaign:
    """Write all of a campaign in this transaction.

    A campaign that was running is paused: its robots are elsewhere. Films that they had claimed are ready again, films
    in the making are overdue and wait for a person.

    Args:
        session: The transaction; the caller commits it.
        file: The archive.
        artifacts_dir: Where models are kept.

    Raises:
        Conflict: If the campaign is here already, or the archive is of another version of the record.
        InvalidInput: If it is no archive, or damaged.
    """
    try:
        with zipfile.ZipFile(file) as whole:
            manifest = _manifest(whole)
            campaign_id = str(manifest["campaign"]["id"])
            if not _CAMPAIGN_ID.fullmatch(campaign_id):
                raise InvalidInput(f"{campaign_id[:50]!r} is no id of a campaign")
            _refuse_if_here(session, campaign_id)
            _files(session, whole, manifest, artifacts_dir)
            writing, own = archive.Writing(session), Own(campaign_id, manifest)
            for table in archive.tables():
                _table(writing, own, whole, manifest, table)
            own.refuse_foreign()
            for number in range(1, campaigns.get(session, campaign_id).config_revision + 1):
                datasets.problem(session, campaign_id, number)  # raises if it is none
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, orjson.JSONDecodeError) as error:
        raise InvalidInput(f"this is no archive of a campaign, or it is damaged: {error}") from error
    except (IntegrityError, DataError, Contradiction, BadData) as error:
        raise InvalidInput(f"the record in the archive contradicts itself: {type(error).__name__}") from error
    _settle(session, campaign_id)
    revision = campaigns.get(session, campaign_id).revision
    found = datasets.present_hash(session, campaign_id, revision)
    if found != manifest["snapshot_hash"]:
        raise InvalidInput(f"the dataset has the hash {found}, the archive says {manifest['snapshot_hash']}")
    events.append(session, campaign_id, "campaign.imported", {"revision": revision, "snapshot_hash": found})
    return get(session, campaign_id)


def _manifest(whole: zipfile.ZipFile) -> dict[str, Any]:
    infos = whole.infolist()
    if len(infos) > MOST_FILES or sum(info.file_size for info in infos) > MOST_UNPACKED:
        raise InvalidInput(f"an archive has at most {MOST_FILES} files and {MOST_UNPACKED} bytes unpacked")
    if whole.getinfo(MANIFEST).file_size > MOST_HELD:
        raise InvalidInput(f"{MANIFEST} has more than {MOST_HELD} bytes")
    manifest: dict[str, Any] = orjson.loads(whole.read(MANIFEST))
    if manifest["format"] != FORMAT:
        raise InvalidInput(f"the archive's format is {manifest['format']!r}; {FORMAT!r} can be read")
    if manifest["schema"] != schema_head():
        raise Conflict(f"the archive is of version {manifest['schema']} of the record, this one is {schema_head()}")
    return manifest


def _refuse_if_here(session: Session, campaign_id: str) -> None:
    try:
        campaigns.get(session, campaign_id)
    except NotFound:
        return
    raise Conflict(f"campaign {campaign_id} is here already; an import keeps every id")


def _files(session: Session, whole: zipfile.ZipFile, manifest: dict[str, Any], artifacts_dir: Path) -> None:
    for path in manifest["sha256"]:
        folder, _, name = path.partition("/")
        if folder == "models":
            stored = artifacts.store(artifacts_dir, _checked(whole, manifest, path))
            if f"{stored.sha256}.safetensors" != name:
                raise InvalidInput(f"{path} has the hash {stored.sha256}")
        if folder == "arrays":
            array = _array(_checked(whole, manifest, path))
            if f"{arrays.digest(array)}.npy" != name:
                raise InvalidInput(f"{path} has another hash")
            arrays.store(session, [array])


def _array(data: bytes) -> arrays.Numbers:
    """A row of numbers; its header is believed only as far as there are bytes."""
    file = io.BytesIO(data)
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.name not in arrays.LITTLE_ENDIAN or len(shape) != 1:
        raise ValueError(f"an array of {dtype.name} {shape} is no row of numbers")
    numbers: arrays.Numbers = np.frombuffer(data[file.tell() :], dtype=arrays.LITTLE_ENDIAN[dtype.name])
    if numbers.shape != shape:
        raise ValueError(f"an array of {shape} has {numbers.size} numbers")
    return numbers


def _checked(whole: zipfile.ZipFile, manifest: dict[str, Any], path: str) -> bytes:
    if whole.getinfo(path).file_size > MOST_HELD:
        raise InvalidInput(f"{path} has more than {MOST_HELD} bytes")
    data = whole.read(path)
    if hashlib.sha256(data).hexdigest() != manifest["sha256"][path]:
        raise InvalidInput(f"{path} is damaged: its hash is not the one in {MANIFEST}")
    return data


def _table(writing: archive.Writing, own: Own, whole: zipfile.ZipFile, manifest: dict[str, Any], table: Table) -> None:
    path, count = f"record/{table.name}.ndjson", 0
    lines = _lines(whole, manifest, path)
    while some := [archive.read_row(table, orjson.loads(line)) for line in itertools.islice(lines, _AT_ONCE)]:
        own.note(table, some)
        writing.write(table, some)
        count += len(some)
    if count != manifest["rows"][table.name]:
        raise InvalidInput(f"{path} has {count} rows, {MANIFEST} says {manifest['rows'][table.name]}")


def _lines(whole: zipfile.ZipFile, manifest: dict[str, Any], path: str) -> Iterator[bytes]:
    """Lines of a file, whose hash is checked at its end: what was written by then is rolled back."""
    digest = hashlib.sha256()
    with whole.open(path) as inner:
        while line := inner.readline(MOST_HELD):
            digest.update(line)
            yield line
    if digest.hexdigest() != manifest["sha256"][path]:
        raise InvalidInput(f"{path} is damaged: its hash is not the one in {MANIFEST}")


def _settle(session: Session, campaign_id: str) -> None:
    """What waits for somebody elsewhere waits for somebody here."""
    state = campaigns.get(session, campaign_id).state
    if state in _LIVE:
        campaigns.move(session, campaign_id, [state], _LIVE[state])
    proposals.move_all(session, campaign_id, "leased", "ready")
    proposals.move_all(session, campaign_id, "running", "overdue")
    overdue_all(session, campaign_id)
    archive.end_jobs(session, campaign_id)
