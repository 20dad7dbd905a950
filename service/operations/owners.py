"""Which campaign a thing belongs to, asked of the record once for each thing."""

from collections.abc import Mapping

from service.store import owners
from service.store.session import Sessions

NOUNS: Mapping[str, str] = {
    "campaign": "campaign",
    "attachment": "attachment",
    "calibration": "calibration",
    "film": "film",
    "generation": "generation",
    "instrument": "instrument",
    "lease": "lease",
    "model_version": "model version",
    "prior_data": "prior data",
    "proposal": "proposal",
    "replay": "replay",
    "retraction": "retraction",
    "sample": "sample",
}
"""What there is in campaigns: as addresses name it, and as people do."""
_KNOWN: dict[tuple[str, str], str] = {}
_MOST_KNOWN = 100_000


def campaign_of(sessions: Sessions, noun: str, name: str) -> str | None:
    """Id of the campaign that a thing is in; None if there is no such thing. It never moves to another one.

    Raises:
        KeyError: If there is no such noun.
    """
    known = _KNOWN.get((noun, name))
    if known is None:
        with sessions() as session:
            known = owners.campaign_of(session, noun, name)
        if known is not None:
            if len(_KNOWN) >= _MOST_KNOWN:
                _KNOWN.clear()
            _KNOWN[noun, name] = known
    return known
