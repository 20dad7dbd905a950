"""Write a whole campaign as one zip file: tables for people, the record for machines, every model and array."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import orjson
from sqlalchemy.orm import Session

from models.problem import Problem
from service.operations.archive import crate, tables
from service.operations.archive.crate import Entry
from service.operations.archive.sheets import Column, Sheet, write_csv, write_parquet
from service.store import archive, arrays, artifacts, attachments, campaigns, datasets, models
from service.store.schema import head as schema_head
from service.store.tables import CampaignConfigRow, ModelVersionRow, table_of

FORMAT = "filmloop-archive/1"
MANIFEST = "record/manifest.json"
JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
PARQUET, BINARY = "application/vnd.apache.parquet", "application/octet-stream"
_PLAIN = orjson.OPT_UTC_Z
_PAGE = 200


def pack(session: Session, campaign_id: str, artifacts_dir: Path, file: IO[bytes]) -> None:
    """Write the archive of a campaign; memory is bounded, whatever its size.

    Args:
        session: One consistent view (repeatable read) for as long as it takes.
        campaign_id: The campaign.
        artifacts_dir: Where its models lie.
        file: Where to write; it need not be able to go back.

    Raises:
        NotFound: If there is no such campaign.
        ArtifactDamaged: If one of its models or arrays is.
    """
    row = campaigns.get(session, campaign_id)
    problem = datasets.problem(session, campaign_id, row.config_revision)
    told = {"id": row.id, "name": row.name, "revision": row.revision}
    with zipfile.ZipFile(file, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=3) as whole:
        writer = _Writer(whole)
        sheets = _sheets(session, campaign_id, problem, row.revision)
        for sheet in sheets:
            writer.add(f"{sheet.name}.csv", sheet.title, CSV, partial(write_csv, sheet))
        again = next(iter(_sheets(session, campaign_id, problem, row.revision)))
        writer.add("measurements.parquet", again.title, PARQUET, partial(write_parquet, again))
        writer.add("dictionary.csv", "Columns of the tables", CSV, partial(write_csv, _dictionary(sheets)))
        writer.json("configurations.json", "What was sought, numbered", _configurations(session, campaign_id))
        writer.json("model_versions.json", "Trained models", _model_versions(session, campaign_id))
        _pack_files(session, campaign_id, artifacts_dir, writer)
        counts = {str(table.name): _pack_table(session, table, campaign_id, writer) for table in archive.tables()}
        snapshot_hash = datasets.present_hash(session, campaign_id, row.revision)
        manifest = {"format": FORMAT, "schema": schema_head(), "campaign": told, "snapshot_hash": snapshot_hash}
        hashes = {entry.path: entry.sha256 for entry in writer.entries}
        writer.json(MANIFEST, "What the archive holds", manifest | {"rows": counts, "sha256": hashes})
        described = crate.metadata(told, problem, snapshot_hash, writer.entries, datetime.now(UTC))
        writer.json(crate.NAME, "RO-Crate metadata", described)


class _Writer:
    """Adds files to a zip and notes what they are."""

    def __init__(self, whole: zipfile.ZipFile) -> None:
        self._whole = whole
        self.entries: list[Entry] = []

    def add(self, path: str, title: str, media_type: str, write: Callable[[IO[bytes]], Any]) -> None:
        """Write a file through a function."""
        with self._open(path, media_type) as out:
            write(cast("IO[bytes]", out))
        self.entries.append(Entry(path, title, media_type, out.size, out.digest.hexdigest()))

    def json(self, path: str, title: str, value: object) -> None:
        """Write a JSON file."""
        data = orjson.dumps(value, option=_PLAIN | orjson.OPT_INDENT_2)
        self.add(path, title, JSON, partial(_put, data))

    @contextmanager
    def _open(self, path: str, media_type: str) -> Iterator["_Counted"]:
        info = zipfile.ZipInfo(path, date_time=datetime.now(UTC).timetuple()[:6])
        packed = media_type == PARQUET
        info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        with self._whole.open(info, "w", force_zip64=True) as inner:
            yield _Counted(inner)


class _Counted(io.RawIOBase):
    """A file that is written once, from front to back, counted and hashed."""

    def __init__(self, inner: IO[bytes]) -> None:
        super().__init__()
        self._inner = inner
        self.size = 0
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Bytes so far."""
        return self.size

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        """Pass on, count and hash."""
        view = memoryview(data).cast("B")
        self._inner.write(view)
        self.digest.update(view)
        self.size += len(view)
        return len(view)


def _put(data: bytes, out: IO[bytes]) -> None:
    out.write(data)


def _put_array(array: arrays.Numbers, out: IO[bytes]) -> None:
    np.lib.format.write_array(out, array, allow_pickle=False)


def _sheets(session: Session, campaign_id: str, problem: Problem, revision: int) -> list[Sheet]:
    """The readings first."""
    return [
        tables.measurements(session, campaign_id, problem, revision),
        tables.film_devices(session, campaign_id, problem),
        tables.read_elsewhere(session, campaign_id, problem),
        tables.promised(session, campaign_id, problem),
        tables.predictions(session, campaign_id, problem),
    ]


def _dictionary(sheets: Iterable[Sheet]) -> Sheet:
    columns = [
        Column("table", "text", "table that the column is in"),
        Column("column", "text", "its name"),
        Column("unit", "text", "unit of its numbers"),
        Column("kind", "text", "text, number, integer or time"),
        Column("meaning", "text", "what it says"),
    ]
    rows = [[sheet.name, c.name, c.unit, c.kind, c.meaning] for sheet in sheets for c in sheet.columns]
    return Sheet("dictionary", "Columns of the tables", columns, rows)


def _configurations(session: Session, campaign_id: str) -> list[dict[str, Any]]:
    found = archive.rows(session, table_of(CampaignConfigRow), campaign_id)
    return [{name: value for name, value in row.items() if name != "campaign_id"} for row in found]


def _model_versions(session: Session, campaign_id: str) -> list[dict[str, Any]]:
    left_out = {"posterior", "insights"}  # large, and in the record
    found = archive.rows(session, table_of(ModelVersionRow), campaign_id)
    return [{name: value for name, value in row.items() if name not in left_out} for row in found]


def _pack_files(session: Session, campaign_id: str, artifacts_dir: Path, writer: _Writer) -> None:
    """Every model and every array once, each under its hash."""
    for sha256 in models.artifacts(session, campaign_id):
        data = artifacts.load(artifacts_dir, sha256)
        writer.add(f"models/{sha256}.safetensors", "Trained model", BINARY, partial(_put, data))
    done: set[str] = set()
    after, listed = None, []
    while page := attachments.page(session, campaign_id, film_id=None, kind=None, after=after, limit=_PAGE):
        for row, instrument in page:
            wanted = {row.array_sha256, *(axis["sha256"] for axis in row.axes)}
            for sha256, array in arrays.load(session, wanted - done).items():
                writer.add(f"arrays/{sha256}.npy", "Array", BINARY, partial(_put_array, array))
            done |= wanted
            said = ("id", "film_id", "device", "kind", "label", "unit", "axes", "array_sha256", "measured_at")
            listed.append({name: getattr(row, name) for name in said} | {"instrument": instrument})
        after = page[-1][0].id
    writer.json("attachments.json", "Spectra, patterns and other arrays, by film and device", listed)


def _pack_table(session: Session, table: Any, campaign_id: str, writer: _Writer) -> int:  # noqa: ANN401 - a table
    count = 0

    def write(out: IO[bytes]) -> None:
        nonlocal count
        for row in archive.rows(session, table, campaign_id):
            out.write(orjson.dumps(row, option=_PLAIN | orjson.OPT_APPEND_NEWLINE))
            count += 1

    writer.add(f"record/{table.name}.ndjson", f"Table {table.name} of the record", NDJSON, write)
    return count
