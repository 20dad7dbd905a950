"""Where the devices of films are."""

import functools
import itertools
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.store.tables import CampaignConfigRow, CompositionReadingRow, FilmRow, ProposalRow


@dataclass(frozen=True)
class FilmPlaces:
    """Where the devices of a film are."""

    positions: dict[int, float]
    """Of each device along the gradient, 0 to 1."""
    length_mm: float | None
    """Of the film, under the configuration that it was proposed under."""

    @functools.cached_property
    def spacing(self) -> float:
        """Least distance between two devices, 1 if there is only one."""
        along = sorted(self.positions.values())
        return min((b - a for a, b in itertools.pairwise(along)), default=1.0)


_FOUND: dict[tuple[str, str], FilmPlaces] = {}
"""By campaign and film. A film's devices stay where they are, so what was found once is true for ever."""
_MOST_KEPT = 20_000


def film_places(session: Session, campaign_id: str, film_ids: Collection[str]) -> dict[str, FilmPlaces]:
    """Where the devices of each named film that belongs to the campaign are; other films are left out."""
    found = {film_id: _FOUND.get((campaign_id, film_id)) for film_id in film_ids}
    missing = [film_id for film_id, places in found.items() if places is None]
    if missing:
        read = _read(session, campaign_id, missing)
        if len(_FOUND) + len(read) > _MOST_KEPT:
            _FOUND.clear()
        _FOUND.update({(campaign_id, film_id): places for film_id, places in read.items()})
        found |= read
    return {film_id: places for film_id, places in found.items() if places is not None}


def _read(session: Session, campaign_id: str, film_ids: Collection[str]) -> dict[str, FilmPlaces]:
    length = CampaignConfigRow.problem["film"]["length_mm"].as_float()
    query = (
        select(CompositionReadingRow.film_id, CompositionReadingRow.device, CompositionReadingRow.position, length)
        .join(FilmRow, FilmRow.id == CompositionReadingRow.film_id)
        .join(ProposalRow, ProposalRow.id == FilmRow.proposal_id)
        .join(
            CampaignConfigRow,
            (CampaignConfigRow.campaign_id == ProposalRow.campaign_id)
            & (CampaignConfigRow.number == ProposalRow.config_revision),
        )
        .where(FilmRow.campaign_id == campaign_id, FilmRow.id.in_(film_ids), CompositionReadingRow.kind == "nominal")
        .order_by(CompositionReadingRow.film_id, CompositionReadingRow.device)
    )
    films: dict[str, FilmPlaces] = {}
    for film_id, device, position, length_mm in session.execute(query):
        films.setdefault(film_id, FilmPlaces({}, length_mm)).positions[device] = position
    return films
