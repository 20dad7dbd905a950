"""Where one can go: the pages in the head of each page, and the tabs of a campaign."""

from dataclasses import dataclass

from service.operations.keys import ADMIN, Caller

MAIN = (("campaigns", "/"), ("new", "/new"), ("api", "/docs"))
"""Key of the catalogue, under `nav`, and address."""
OF_ADMINS = (("keys", "/keys"), ("audit", "/audit"))


def main_pages(visitor: Caller | None) -> tuple[tuple[str, str], ...]:
    """What the head of a page links to, for a visitor."""
    if visitor is None:
        return ()
    return (*MAIN, *OF_ADMINS) if ADMIN in visitor.scopes else MAIN


@dataclass(frozen=True)
class Tab:
    """A page of a campaign."""

    key: str
    """Its word is `tab.<key>` of the catalogue."""
    path: str
    """After the campaign's own address."""
    several: bool = False
    """Whether it is only of campaigns with several objectives."""


CAMPAIGN_TABS = (
    Tab("overview", ""),
    Tab("space", "/space"),
    Tab("model", "/model"),
    Tab("pareto", "/pareto", several=True),
    Tab("films", "/films"),
    Tab("data", "/data"),
    Tab("configuration", "/configuration"),
)
"""In the order in which they are shown."""
