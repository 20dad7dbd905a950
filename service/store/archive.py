"""The record of one campaign, table by table, as it is stored; and written into another database the same."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Insert, Table, func, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from service.store import measurements
from service.store.campaigns import FRESH
from service.store.tables import (
    ArtifactRow,
    Base,
    CompositionReadingRow,
    FilmRow,
    GenerationRow,
    JobRow,
    MeasurementRow,
    ModelVersionRow,
    PriorDataRow,
    PriorReadingRow,
    ReplayRow,
    RetractedCompositionRow,
    RetractedReadingRow,
    RetractionRow,
)

LEFT_OUT = {
    "idempotency": "answers to requests belong to the service that gave them",
    "lease": "leases hold secrets of robots, which are none elsewhere",
    "api_key": "who may ask is each service's own affair",
    "campaign_grant": "as with keys",
    "web_session": "as with keys",
    "audit": "it tells of keys that mean nothing elsewhere",
    "array": "arrays are files of their own, under their hash",
}
"""Tables that are no part of a campaign's archive, and why."""
_FETCHED = 5_000
_INSERTED = 1_000

Record = dict[str, Any]


def tables() -> list[Table]:
    """Tables of an archive, each after those that it refers to."""
    return [table for table in Base.metadata.sorted_tables if table.name not in LEFT_OUT]


def rows(session: Session, table: Table, campaign_id: str) -> Iterator[Record]:
    """Every row of a campaign in a table, in the order of its key."""
    query = select(table).where(_of(table, campaign_id)).order_by(*table.primary_key.columns)
    names = [str(column.name) for column in table.c]  # plain text: the database's own kind is no key of JSON
    for found in session.execute(query, execution_options={"yield_per": _FETCHED}):
        yield dict(zip(names, found, strict=True))


def _of(table: Table, campaign_id: str) -> ColumnElement[bool]:
    """Which rows of a table are of a campaign."""
    if table.name == "campaign":
        return table.c.id == campaign_id
    if "campaign_id" in table.c:
        return table.c.campaign_id == campaign_id
    match table.name:
        case CompositionReadingRow.__tablename__:
            return table.c.film_id.in_(select(FilmRow.id).where(FilmRow.campaign_id == campaign_id))
        case RetractedReadingRow.__tablename__ | RetractedCompositionRow.__tablename__:
            here = RetractionRow.campaign_id == campaign_id
            return table.c.retraction_id.in_(select(RetractionRow.id).where(here))
        case PriorReadingRow.__tablename__:
            here = PriorDataRow.campaign_id == campaign_id
            return table.c.prior_data_id.in_(select(PriorDataRow.id).where(here))
        case ArtifactRow.__tablename__:
            here = ModelVersionRow.campaign_id == campaign_id
            return table.c.sha256.in_(select(ModelVersionRow.artifact_sha256).where(here))
    raise LookupError(f"it is not said which rows of table {table.name} are of a campaign")


def read_row(table: Table, said: Mapping[str, Any]) -> Record:
    """A row of JSON with the types of its table.

    Raises:
        ValueError: If it has a column that the table has not, or a time that is none.
    """
    if unknown := sorted(set(said) - set(table.c.keys())):
        raise ValueError(f"table {table.name} has no column {', '.join(unknown)}")
    times = {c.name for c in table.c if c.type.python_type is datetime}
    return {
        name: datetime.fromisoformat(value) if name in times and value is not None else value
        for name, value in said.items()
    }


class Writing:
    """Inserts the rows of an archive, table by table in their order."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._compositions: dict[int, int] = {}
        """Numbers of compositions in this database, by those in the old one."""

    def write(self, table: Table, records: Sequence[Record]) -> None:
        """Insert rows; an artifact may be there already.

        Raises:
            KeyError: If a row refers to a composition that the archive does not have.
        """
        match table.name:
            case MeasurementRow.__tablename__:
                measurements.store(self._session, records)
            case CompositionReadingRow.__tablename__:
                self._number(table, records)
            case RetractedCompositionRow.__tablename__:
                known = self._compositions
                self._insert(insert(table), [{**r, "composition_id": known[r["composition_id"]]} for r in records])
            case ArtifactRow.__tablename__:
                self._insert(postgresql.insert(table).on_conflict_do_nothing(), records)
            case _:
                self._insert(insert(table), records)

    def _number(self, table: Table, records: Sequence[Record]) -> None:
        """Compositions are numbered by the database: they get new numbers here."""
        unnumbered = [{name: value for name, value in r.items() if name != "id"} for r in records]
        command = insert(table).returning(table.c.id, sort_by_parameter_order=True)
        fresh = self._session.execute(command, unnumbered).scalars().all()
        self._compositions |= {r["id"]: number for r, number in zip(records, fresh, strict=True)}

    def _insert(self, command: Insert, records: Sequence[Record]) -> None:
        for k in range(0, len(records), _INSERTED):
            self._session.execute(command, records[k : k + _INSERTED])


def end_jobs(session: Session, campaign_id: str) -> None:
    """Let nothing wait for a worker that waited for one elsewhere: what is still wanted is asked for anew."""
    job = (JobRow.campaign_id == campaign_id) & JobRow.state.in_(("pending", "leased"))
    ended = {"state": "failed", "error": "the campaign was imported", "lease_until": None, "updated_at": func.now()}
    session.execute(update(JobRow).where(job).values(ended), execution_options=FRESH)
    dead = {"state": "dead", "error": "the campaign was imported", "lease_until": None, "finished_at": func.now()}
    for row in (ReplayRow, GenerationRow):
        waits = (row.campaign_id == campaign_id) & row.state.in_(("pending", "leased"))
        session.execute(update(row).where(waits).values(dead), execution_options=FRESH)
