"""The models that a worker keeps in memory between decisions. Losing one costs one read of its artifact."""

from collections import OrderedDict

from models.surrogates.base import ModelBundle

CAMPAIGNS = 4
"""Campaigns whose last model is kept. One of 2,000 readings takes about 100 MB."""


class WarmModels:
    """The last model of the campaigns that were decided last, each under the hash of its artifact."""

    def __init__(self, campaigns: int = CAMPAIGNS) -> None:
        """Keep at most `campaigns` models."""
        self._kept: OrderedDict[str, tuple[str, ModelBundle]] = OrderedDict()
        self._campaigns = campaigns

    def get(self, campaign_id: str, sha256: str) -> ModelBundle | None:
        """The campaign's model if it is the one of this artifact."""
        kept, bundle = self._kept.get(campaign_id, ("", None))
        return bundle if kept == sha256 else None

    def keep(self, campaign_id: str, sha256: str, bundle: ModelBundle) -> None:
        """Keep a campaign's model instead of its last one; the campaign that waited longest may lose its own."""
        self._kept.pop(campaign_id, None)
        self._kept[campaign_id] = (sha256, bundle)
        while len(self._kept) > self._campaigns:
            self._kept.popitem(last=False)
