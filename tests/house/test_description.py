"""The committed description of the API is that of the code."""

import json
from pathlib import Path

from service.app import create_app
from service.settings import Settings

COMMITTED = Path(__file__).parents[2] / "docs/openapi.json"


def test_the_committed_description_is_current() -> None:
    committed = json.loads(COMMITTED.read_text(encoding="utf-8"))
    assert committed == create_app(Settings()).openapi(), "write it anew: filmloop openapi > docs/openapi.json"
