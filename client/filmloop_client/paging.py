"""Lists that come page by page."""

from collections.abc import Iterator
from typing import TypeVar

from pydantic import BaseModel

from filmloop_client.transport import Transport

Item = TypeVar("Item", bound=BaseModel)


def pages(transport: Transport, path: str, kind: type[Item], **params: str | None) -> Iterator[Item]:
    """Every item of a paged list, page after page."""
    after: str | None = None
    while True:
        page = transport.get(path, {**params, "after": after}).json()
        yield from (kind.model_validate(item) for item in page["items"])
        after = page.get("next")
        if after is None:
            return
