"""Where one can go: the tabs of a campaign."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tab:
    """A page of a campaign."""

    key: str
    """Its word is `tab.<key>` of the catalogue."""
    path: str
    """After the campaign's own address."""


CAMPAIGN_TABS = (
    Tab("overview", ""),
    Tab("data", "/data"),
    Tab("configuration", "/configuration"),
)
"""In the order in which they are shown."""
