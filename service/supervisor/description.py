"""The command `filmloop openapi`: the API's description, for tools that write clients; nothing need run."""

from __future__ import annotations

import json

import click

from service.app import create_app
from service.settings import Settings


@click.command()
def openapi() -> None:
    """Print the API's description (OpenAPI 3.1) as JSON."""
    click.echo(json.dumps(create_app(Settings()).openapi(), indent=1, ensure_ascii=False))
