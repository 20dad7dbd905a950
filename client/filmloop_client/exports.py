"""A campaign as files: its dataset, its films, all of it; and recipes for sputter tools."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from filmloop_client.transport import Transport


class Exports:
    """What can be taken away of a campaign. Every call gives bytes, or writes them to a file and gives its path."""

    def __init__(self, transport: Transport, campaign_id: str) -> None:
        """Name a campaign; nothing is sent yet."""
        self._transport = transport
        self._path = f"/v1/campaigns/{campaign_id}/exports"

    def dataset(self, *, form: Literal["csv", "parquet"] = "csv", revision: int | None = None) -> bytes:
        """The readings that count at a revision, the newest if left out.

        Raises:
            NotFound: If there is no such revision yet.
        """
        return self._transport.get(f"{self._path}/dataset", {"format": form, "revision": revision}).content

    def films(self, *, form: Literal["csv", "parquet"] = "csv") -> bytes:
        """Every device of every film as proposed, as made and as measured."""
        return self._transport.get(f"{self._path}/films", {"format": form}).content

    def proposals(self, *, form: Literal["csv", "parquet"] = "csv") -> bytes:
        """Every proposal with its reasons."""
        return self._transport.get(f"{self._path}/proposals", {"format": form}).content

    def archive(self, path: Path | str) -> Path:
        """Write the whole campaign to a zip file; `Campaigns.import_archive` brings it back elsewhere."""
        target = Path(path)
        target.write_bytes(self._transport.get(f"{self._path}/archive").content)
        return target

    def recipe(self, proposal_id: str, rates: Mapping[str, float] | None = None, *, dose: float = 1.0) -> bytes:
        """A film as CSV for a sputter tool.

        Args:
            proposal_id: The proposal.
            rates: Atoms per area and second of each source; times are left out if not given.
            dose: Atoms per area at end A, in the unit of rate times seconds.

        Raises:
            Invalid: If the rate of an element in the film is missing.
        """
        told = [f"{element}:{rate!r}" for element, rate in (rates or {}).items()]
        return self._transport.get(f"/v1/proposals/{proposal_id}/recipe", {"rate": told, "dose": dose}).content
