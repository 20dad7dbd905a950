"""Files of a campaign: its dataset, its films, all of it. Written aside first: a slow reader holds no view of it."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Literal

from sqlalchemy.orm import Session

from service.errors import NotFound
from service.operations.archive import tables
from service.operations.archive.pack import pack
from service.operations.archive.sheets import Sheet, write_csv, write_parquet
from service.store import datasets
from service.store.session import Sessions

Format = Literal["csv", "parquet"]


def dataset(sessions: Sessions, campaign_id: str, revision: int | None, form: Format, folder: Path) -> IO[bytes]:
    """The readings that count at a revision, the newest if none, as CSV or Parquet.

    Raises:
        NotFound: If there is no such campaign, or no such revision yet.
    """

    def write(session: Session, file: IO[bytes]) -> None:
        head = datasets.head(session, campaign_id)
        wanted = head.revision if revision is None else revision
        if wanted > head.revision:
            raise NotFound(f"revision beyond {head.revision} in campaign {campaign_id} yet:", str(wanted))
        _write(tables.measurements(session, campaign_id, head.problem, wanted), form, file)

    return _aside(sessions, folder, write)


def films(sessions: Sessions, campaign_id: str, form: Format, folder: Path) -> IO[bytes]:
    """Every device of every film as proposed, as made and as measured.

    Raises:
        NotFound: If there is no such campaign.
    """

    def write(session: Session, file: IO[bytes]) -> None:
        problem = datasets.head(session, campaign_id).problem
        _write(tables.film_devices(session, campaign_id, problem), form, file)

    return _aside(sessions, folder, write)


def proposals(sessions: Sessions, campaign_id: str, form: Format, folder: Path) -> IO[bytes]:
    """Every proposal with its reasons.

    Raises:
        NotFound: If there is no such campaign.
    """

    def write(session: Session, file: IO[bytes]) -> None:
        problem = datasets.head(session, campaign_id).problem
        _write(tables.promised(session, campaign_id, problem), form, file)

    return _aside(sessions, folder, write)


def archive(sessions: Sessions, campaign_id: str, artifacts_dir: Path, folder: Path) -> IO[bytes]:
    """The whole campaign as a zip file.

    Raises:
        NotFound: If there is no such campaign.
        ArtifactDamaged: If one of its models or arrays is.
    """
    return _aside(sessions, folder, lambda session, file: pack(session, campaign_id, artifacts_dir, file))


def _write(sheet: Sheet, form: Format, file: IO[bytes]) -> None:
    if form == "csv":
        write_csv(sheet, file)
    else:
        write_parquet(sheet, file)


def _aside(sessions: Sessions, folder: Path, write: Callable[[Session, IO[bytes]], None]) -> IO[bytes]:
    """A file without a name, written in one consistent view and set to its beginning."""
    folder.mkdir(parents=True, exist_ok=True)
    file = TemporaryFile(dir=folder)  # noqa: SIM115  (whoever sends it closes it)
    try:
        with sessions() as session:
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            write(session, file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file
