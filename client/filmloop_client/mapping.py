"""How the tables of an instrument's software become readings: which column is what, told once in a TOML file."""

import re
import tomllib
from collections.abc import Mapping as Row
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from filmloop_client.instrument import Reading, row_of


class Part(BaseModel):
    """A part of a mapping; a name that does not exist is refused rather than ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Files(Part):
    """Which files, and how they are written."""

    pattern: str = "*.csv"
    """Below the folder; `**/*.csv` for folders in it, too."""
    encoding: str = "utf-8-sig"
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """Between cells; found out from the header if left out: tab, semicolon or comma."""
    decimal: str = Field(default=".", pattern=r"^[.,]$")
    skip_lines: int = Field(default=0, ge=0)
    """Lines above the header."""
    settled_s: float = Field(default=10.0, ge=0.0)
    """A file that did not change for so long is complete, even if its last line has no end."""


class FilmFrom(Part):
    """Where a row's film is told."""

    column: str | None = None
    file_name: str | None = None
    """A regular expression with one group that finds it in the file's name."""
    names: dict[str, str] = {}
    """Film id by the lab's own name, where the two differ."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.column is None) == (self.file_name is None):
            raise ValueError("say either column or file_name")
        if self.file_name is not None and re.compile(self.file_name).groups != 1:
            raise ValueError(f"file_name must hold one group, as in '(flm_[a-z0-9]+)', got {self.file_name!r}")
        return self


class DeviceFrom(Part):
    """Where a row's device is told: its number, or its place."""

    column: str
    is_: str = Field(default="device", alias="is", pattern="^(device|position|position_mm)$")
    """`device` is a number, `position` lies between 0 and 1, `position_mm` is in mm from end A."""
    first: int = 0
    """Number of the first device, for software that counts from 1."""


class TimeFrom(Part):
    """Where the moment of a row is told."""

    column: str
    format: str | None = None
    """As of Python's `strptime`; RFC 3339 if left out."""
    zone: str | None = None
    """Of times without an offset, such as `Asia/Tokyo`."""


class PropertyFrom(Part):
    """A property and the columns that tell it; a table may hold several."""

    property: str
    unit: str
    value: str
    """Column of the value."""
    std_uncertainty: str | None = None
    """Column of the standard uncertainty."""
    dead: tuple[str, ...] = ()
    """What stands in the column of the value if the device gives none, such as `NaN`; may hold the empty text."""


class Mapping(Part):
    """How one instrument's files become readings."""

    instrument: str
    campaign: str | None = None
    files: Files = Files()
    film: FilmFrom
    device: DeviceFrom
    time: TimeFrom | None = None
    """Of the file's last change if left out."""
    properties: tuple[PropertyFrom, ...] = Field(min_length=1)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a mapping file.

        Raises:
            ValueError: If it is no TOML or no mapping; the message names each place.
            OSError: If it cannot be read.
        """
        try:
            return cls.model_validate(tomllib.loads(Path(path).read_text(encoding="utf-8")))
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
            raise ValueError(f"{path} is no mapping: {wrong}") from error
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path} is no TOML: {error}") from error

    def columns(self) -> set[str]:
        """Every column that a table must have."""
        said = [self.film.column, self.device.column, self.time and self.time.column]
        of_properties = [name for p in self.properties for name in (p.value, p.std_uncertainty)]
        return {name for name in [*said, *of_properties] if name}

    def readings(self, row: Row[str, str], file_name: str, changed: datetime, uid: str) -> list[dict[str, Any]]:
        """The readings of one row of a table, as they are sent.

        Args:
            row: Cells by column.
            file_name: Of the table.
            changed: When it was, for tables without times.
            uid: Permanent name of the row.

        Raises:
            ValueError: If the row cannot be readings; the message says why.
        """
        shared = {"film_id": self._film(row, file_name), "measured_at": self._time(row, changed)} | self._place(row)
        found = []
        for number, each in enumerate(self.properties):
            name = {"uid": f"{uid}/{number}", "property": each.property, "unit": each.unit}
            found.append(row_of(Reading.model_validate(shared | name | self._value(each, row))))
        return found

    def _film(self, row: Row[str, str], file_name: str) -> str:
        if self.film.column is not None:
            name = row[self.film.column]
        elif match := re.search(self.film.file_name or "", file_name):
            name = match.group(1)
        else:
            raise ValueError(f"the file's name does not tell the film: no {self.film.file_name!r} in {file_name!r}")
        if not name:
            raise ValueError(f"no film in column {self.film.column!r}")
        return self.film.names.get(name, name)

    def _place(self, row: Row[str, str]) -> dict[str, Any]:
        told = row[self.device.column]
        if self.device.is_ != "device":
            return {self.device.is_: self._number(told, self.device.column)}
        number = self._number(told, self.device.column)
        if number != int(number):
            raise ValueError(f"column {self.device.column!r} holds {told!r}, which is no number of a device")
        return {"device": int(number) - self.device.first}

    def _time(self, row: Row[str, str], changed: datetime) -> datetime:
        if self.time is None:
            return changed
        told = row[self.time.column]
        try:
            found = datetime.strptime(told, self.time.format) if self.time.format else datetime.fromisoformat(told)
        except ValueError as error:
            raise ValueError(f"column {self.time.column!r} holds {told!r}, which is no time: {error}") from error
        if found.tzinfo is None:
            if self.time.zone is None:
                raise ValueError(f"{told!r} has no offset from UTC; say the zone in the mapping")
            found = found.replace(tzinfo=ZoneInfo(self.time.zone))
        return found

    def _value(self, each: PropertyFrom, row: Row[str, str]) -> dict[str, Any]:
        told = row[each.value]
        if told in each.dead:
            return {"status": "dead"}
        value: dict[str, Any] = {"value": self._number(told, each.value)}
        if each.std_uncertainty and row[each.std_uncertainty]:
            value["std_uncertainty"] = self._number(row[each.std_uncertainty], each.std_uncertainty)
        return value

    def _number(self, told: str, column: str) -> float:
        if not told:
            raise ValueError(f"column {column!r} is empty")
        try:
            return float(told.replace(",", ".") if self.files.decimal == "," else told)
        except ValueError as error:
            raise ValueError(f"column {column!r} holds {told!r}, which is no number") from error
