"""Holds an archive to its own campaign: no row of it may belong, or refer, to another one that is here already."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Table

from service.errors import InvalidInput
from service.store.archive import Record, tables

Place = tuple[str, str]
"""Table and column."""
_UNDECLARED: Mapping[Place, Place] = {
    ("retracted_reading", "retraction_id"): ("retraction", "id"),
    ("retracted_reading", "measurement_id"): ("measurement", "id"),
}
"""References that the tables do not declare."""
_ARRAY = ("array", "sha256")
_ARTIFACT = ("artifact", "sha256")
_FILES = {"arrays": _ARRAY, "models": _ARTIFACT}


class Own:
    """What an archive's rows are called, and what they refer to, column by column.

    The hashes in an archive are its sender's own, so they show damage, not malice. The database's constraints let a row
    refer to anything that is there; whoever may import could write into any campaign.
    """

    def __init__(self, campaign_id: str, manifest: Mapping[str, Any]) -> None:
        """Begin.

        Args:
            campaign_id: The archive's campaign.
            manifest: With its files, and its rows by table.
        """
        self._campaign_id = campaign_id
        self._references = {table.name: dict(_references(table)) for table in tables()}
        told = [self._references[name] for name, rows in manifest["rows"].items() if rows]
        self._referred = {place for of_table in told for place in of_table.values()}
        self._here: defaultdict[Place, set[object]] = defaultdict(set)
        self._wanted: defaultdict[Place, set[object]] = defaultdict(set)
        self._here["campaign", "id"].add(campaign_id)
        for path in manifest["sha256"]:
            folder, _, name = path.partition("/")
            if folder in _FILES:
                self._here[_FILES[folder]].add(name.partition(".")[0])

    def note(self, table: Table, records: Sequence[Record]) -> None:
        """Take rows into account.

        Raises:
            InvalidInput: If one is of another campaign.
        """
        own = "id" if table.name == "campaign" else "campaign_id"
        if own in table.c and any(record.get(own) != self._campaign_id for record in records):
            raise InvalidInput(f"a row of record/{table.name}.ndjson is not of campaign {self._campaign_id}")
        for column in (c.name for c in table.c if (table.name, c.name) in self._referred):
            if (table.name, column) != _ARTIFACT:
                self._here[table.name, column].update(record.get(column) for record in records)
        if table.name == _ARTIFACT[0]:
            self._wanted[_ARTIFACT].update(record.get("sha256") for record in records)
        for column, place in self._references[table.name].items():
            self._wanted[place].update(record.get(column) for record in records)
        if table.name == "attachment":
            self._wanted[_ARRAY].update(axis["sha256"] for record in records for axis in record["axes"])

    def refuse_foreign(self) -> None:
        """Once every row was noted.

        Raises:
            InvalidInput: If one refers to what the archive does not hold.
        """
        for place, wanted in self._wanted.items():
            if foreign := wanted - self._here[place] - {None}:
                named = ", ".join(sorted(map(repr, foreign))[:3])
                raise InvalidInput(f"the archive refers to {place[0]} {named[:200]}, which it does not hold")


def _references(table: Table) -> Iterator[tuple[str, Place]]:
    for key in table.foreign_keys:
        yield key.parent.name, (key.column.table.name, key.column.name)
    for (name, column), place in _UNDECLARED.items():
        if name == table.name:
            yield column, place
