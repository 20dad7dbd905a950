"""What a campaign learns from that was read elsewhere: in another campaign, or in a file."""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from filmloop_client.answers import Answer, Composition
from filmloop_client.paging import pages
from filmloop_client.transport import Transport

Kind = Literal["csv", "ndjson", "parquet"]
Unfit = Literal["refuse", "leave_out"]
_MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"}
_LARGE_S = 60.0
"""How much longer than a usual request a large table may take."""


class PriorRow(BaseModel):
    """One reading from elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    composition: Composition
    property: str
    unit: str
    """Any unit of the dimension of the campaign's own."""
    value: FiniteFloat
    status: Literal["ok", "above_limit", "below_limit"] = "ok"
    std_uncertainty: FiniteFloat | None = Field(default=None, gt=0.0)
    replicates: int | None = None
    process: dict[str, float | str] = {}
    """Process conditions by variable, in the campaign's units."""
    film: str | None = None
    """Name of the film, wafer or batch there: its readings share an offset."""
    position: FiniteFloat | None = None


class PriorData(Answer):
    """A source of prior data as it stands; its rows never change."""

    id: str
    campaign_id: str
    name: str
    state: str
    """`in_force`, or `withdrawn`."""
    source: dict[str, Any]
    rows: int
    left_out: dict[str, int]
    """Numbers of rows that were not taken, by reason."""
    hash: str
    revision: int
    withdrawals: list[dict[str, Any]]
    created_at: datetime | None = None


class Looked(Answer):
    """What would become of a file."""

    rows: int
    left_out: dict[str, int]


class ReadElsewhere(Answer):
    """One row of prior data, in the campaign's unit."""

    number: int
    composition: Composition
    process: dict[str, float | str]
    property: str
    unit: str
    value: float
    status: str = "ok"
    std_uncertainty: float | None = None
    film: str | None = None
    raw_value: float | None = None
    raw_unit: str | None = None


class PriorDataOf:
    """The prior data of one campaign."""

    def __init__(self, transport: Transport, campaign_id: str) -> None:
        """Name a campaign; nothing is sent yet."""
        self._transport = transport
        self._path = f"/v1/campaigns/{campaign_id}/prior-data"

    def take(
        self,
        campaign_id: str,
        *,
        revision: int | None = None,
        name: str | None = None,
        properties: Mapping[str, str] | None = None,
        process: Mapping[str, float | str] | None = None,
        unfit: Unfit = "refuse",
    ) -> PriorData:
        """Learn from what another campaign has read.

        Args:
            campaign_id: The other one.
            revision: Of its dataset; the newest if None.
            name: What people call the source.
            properties: Property sought here by its name there, where the names differ.
            process: Values of process variables that films there do not have.
            unfit: Whether readings with other elements or conditions refuse the whole, or are left out.

        Raises:
            Invalid: If the readings do not fit.
        """
        body: dict[str, Any] = {"campaign_id": campaign_id, "unfit": unfit}
        given = {"revision": revision, "name": name, "properties": properties, "process": process}
        body |= {k: v for k, v in given.items() if v is not None}
        return self._taken(self._transport.post(self._path, body, wait_s=_LARGE_S))

    def upload(
        self,
        table: Path | str | bytes,
        kind: Kind | None = None,
        *,
        name: str | None = None,
        properties: Mapping[str, str] | None = None,
        process: Mapping[str, float | str] | None = None,
        unfit: Unfit = "refuse",
    ) -> PriorData:
        """Learn from a table: columns `x_Fe`, `x_Co` ... for fractions, `process_...` for process variables.

        What `Exports.dataset` of another campaign gave can be handed in as it is.

        Args:
            table: A file, or what is in it.
            kind: Its form; by the file's ending if None.
            name: What people call the source.
            properties: Property sought here by its name in the table, where the names differ.
            process: Values of process variables that the table does not give.
            unfit: Whether rows with other elements, conditions or properties refuse the whole, or are left out.

        Raises:
            Invalid: If a row is refused; `errors` names each.
            ValueError: If the form is not known.
        """
        content, media_type = _content(table, kind)
        return self._taken(self._send(content, media_type, name, properties, process, unfit=unfit))

    def add(self, rows: Iterable[PriorRow], *, name: str | None = None, unfit: Unfit = "refuse") -> PriorData:
        """Learn from some readings.

        Raises:
            Invalid: If a row is refused; `errors` names each.
        """
        return self._taken(self._send(*_rows(rows), name, None, None, unfit=unfit))

    def look(self, rows: Iterable[PriorRow], *, unfit: Unfit = "refuse") -> Looked:
        """What would become of some readings; nothing is stored.

        Raises:
            Invalid: If a row is refused; `errors` names each.
        """
        answer = self._send(*_rows(rows), None, None, None, unfit=unfit, validate_only="true")
        return Looked.model_validate(answer.json())

    def list(self) -> Iterator[PriorData]:
        """Every source, withdrawn or not, oldest first."""
        return pages(self._transport, self._path, PriorData)

    def get(self, prior_data_id: str) -> PriorData:
        """One source.

        Raises:
            NotFound: If there is none with this id.
        """
        return PriorData.model_validate(self._transport.get(f"/v1/prior-data/{prior_data_id}").json())

    def rows(self, prior_data_id: str) -> Iterator[ReadElsewhere]:
        """Every reading of a source."""
        return pages(self._transport, f"/v1/prior-data/{prior_data_id}/rows", ReadElsewhere)

    def withdraw(self, prior_data_id: str, reason: str) -> PriorData:
        """Let a source no longer count, from a new revision on.

        Raises:
            Conflict: If it is withdrawn already.
        """
        return self._taken(self._transport.post(f"/v1/prior-data/{prior_data_id}/withdrawal", {"reason": reason}))

    def reinstate(self, prior_data_id: str, reason: str) -> PriorData:
        """Let a withdrawn source count again.

        Raises:
            Conflict: If it is not withdrawn.
        """
        return self._taken(self._transport.post(f"/v1/prior-data/{prior_data_id}/reinstatement", {"reason": reason}))

    def _send(
        self,
        content: bytes,
        media_type: str,
        name: str | None,
        properties: Mapping[str, str] | None,
        process: Mapping[str, float | str] | None,
        **said: str,
    ) -> httpx.Response:
        params: dict[str, str | list[str]] = dict(said)
        params |= {} if name is None else {"name": name}
        for parameter, pairs in (("rename", properties), ("process", process)):
            if pairs:
                params[parameter] = [f"{key}:{value}" for key, value in pairs.items()]
        headers = {"Content-Type": media_type, "Content-Encoding": "gzip"}
        path = f"{self._path}/files"
        return self._transport.post_content(
            path, gzip.compress(content, mtime=0), headers=headers, params=params, wait_s=_LARGE_S
        )

    @staticmethod
    def _taken(answer: httpx.Response) -> PriorData:
        return PriorData.model_validate(answer.json()["prior_data"])


def _rows(rows: Iterable[PriorRow]) -> tuple[bytes, str]:
    lines = [json.dumps(row.model_dump(mode="json")) for row in rows]
    return "\n".join(lines).encode(), _MEDIA_TYPES["ndjson"]


def _content(table: Path | str | bytes, kind: Kind | None) -> tuple[bytes, str]:
    known = kind if isinstance(table, bytes) or kind else Path(table).suffix.lower().removeprefix(".")
    if known not in _MEDIA_TYPES:
        raise ValueError(f"the form of a table is one of {', '.join(_MEDIA_TYPES)}, not {known!r}")
    content = table if isinstance(table, bytes) else Path(table).read_bytes()
    return content, _MEDIA_TYPES[known]
