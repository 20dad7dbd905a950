"""The command `filmloop`: what it offers, without importing any of it before it is asked for."""

# ruff: noqa: PLC0415 - importing late is what this module is for
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import click

Commands = dict[str, tuple[str, Callable[[], click.Command]]]
"""By name: a line of help, and what imports the command."""


class LazyGroup(click.Group):
    """A group whose commands are imported when one is run, so that `--help` answers at once."""

    def __init__(self, *args: Any, lazy: Callable[[], Commands], **settings: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **settings)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names in the order in which a newcomer needs them."""
        return list(self._lazy())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command itself, imported now."""
        known = self._lazy()
        return known[cmd_name][1]() if cmd_name in known else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write one line per command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (help_line, _) in self._lazy().items()])


class Main(LazyGroup):
    """The whole command: whatever goes wrong in it ends as a line and a status."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run what was asked for."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except KeyboardInterrupt:
            raise SystemExit(130) from None
        except Exception as error:
            if os.environ.get("FILMLOOP_DEBUG"):
                raise
            from service.console.endings import ending

            raise ending(error) from error


@click.group(cls=Main, lazy=lambda: COMMANDS)
@click.version_option(package_name="filmloop")
def main() -> None:
    """Filmloop closes the loop of a combinatorial thin-film lab."""


def _demo() -> click.Command:
    from service.simulation.commands import demo_command
    from service.supervisor import running

    return demo_command(running)


def _simulate() -> click.Command:
    from service.simulation.commands import simulate

    return simulate


def _up() -> click.Command:
    from service.supervisor.commands import up

    return up


def _migrate() -> click.Command:
    from service.supervisor.migrate import migrate

    return migrate


def _doctor() -> click.Command:
    from service.supervisor.doctor import doctor

    return doctor


def _database() -> click.Command:
    from service.supervisor.database import database

    return database


def _export() -> click.Command:
    from service.supervisor.archives import export_command

    return export_command


def _import() -> click.Command:
    from service.supervisor.archives import import_command

    return import_command


def _openapi() -> click.Command:
    from service.supervisor.description import openapi

    return openapi


def _key_create() -> click.Command:
    from service.supervisor.keys import create_command

    return create_command


def _key_rotate() -> click.Command:
    from service.supervisor.keys import rotate_command

    return rotate_command


def _key_revoke() -> click.Command:
    from service.supervisor.keys import revoke_command

    return revoke_command


def _key_list() -> click.Command:
    from service.supervisor.keys import list_command

    return list_command


def _key_show() -> click.Command:
    from service.supervisor.key_show import show_command

    return show_command


KEY_COMMANDS: Commands = {
    "show": ("Print the key that commands on this machine ask with.", _key_show),
    "create": ("Make a key for an instrument, a robot or a person.", _key_create),
    "list": ("Show every key, valid or not; never a secret.", _key_list),
    "rotate": ("Make a key in the place of an old one, which is good for a while still.", _key_rotate),
    "revoke": ("Let a key end now.", _key_revoke),
}


@click.group("key", cls=LazyGroup, lazy=lambda: KEY_COMMANDS)
def key() -> None:
    """Say who may call the API, what for, and how long."""


def _campaign(name: str) -> click.Command:
    from service.console import campaigns

    if name in campaigns.ACTIONS:
        return campaigns.action_command(name)
    command: click.Command = getattr(campaigns, f"{name}_command")
    return command


CAMPAIGN_COMMANDS: Commands = {
    name: (told, partial(_campaign, name))
    for name, told in {
        "list": "Show every campaign.",
        "show": "Show how a campaign stands.",
        "template": "Print a problem to begin with.",
        "create": "Begin a campaign, as a draft.",
        "learn": "Let a campaign learn from data that you have.",
        "activate": "Open a draft to robots.",
        "pause": "Give out no more films for now.",
        "resume": "Give out films again.",
        "drain": "Begin no more films, and end with the last.",
        "complete": "End a campaign.",
        "abort": "End a campaign at once.",
        "next": "Show which film would be made next, and why.",
        "make": "Take the next film and say that it was made, without a robot.",
        "measure": "Post a table of readings.",
        "follow": "Print what happens, as it happens.",
    }.items()
}


@click.group("campaign", cls=LazyGroup, lazy=lambda: CAMPAIGN_COMMANDS)
def campaign() -> None:
    """Look at campaigns, begin them, move them, give them data, follow them.

    The key is that of FILMLOOP_KEY, or of the Filmloop on this machine.
    """


def _open() -> click.Command:
    from service.supervisor.open_pages import open_command

    return open_command


def _watch() -> click.Command:
    from service.console.watch import watch_command

    return watch_command


def _benchmark() -> click.Command:
    from service.console.benchmark import benchmark_command

    return benchmark_command


def _completion() -> click.Command:
    from service.console.completion import completion_command

    return completion_command


COMMANDS: Commands = {
    "demo": ("Explore a real Fe-Ga-Pd wafer, from the first film to the best magnetisation.", _demo),
    "up": ("Run everything: database, broker, API, workers, housekeeping.", _up),
    "open": ("Open the pages of the Filmloop that runs here.", _open),
    "campaign": ("Look at campaigns, begin them, move them, give them data, follow them.", lambda: campaign),
    "watch": ("Send the tables of an instrument's folder on, as they are written.", _watch),
    "simulate": ("Play the robots and instruments of a lab against a running Filmloop.", _simulate),
    "doctor": ("Check what Filmloop needs, and say how to mend what is broken.", _doctor),
    "migrate": ("Bring the database's schema up to date.", _migrate),
    "key": ("Make, list, replace and end keys.", lambda: key),
    "database": ("Run a tool of Postgres, such as pg_dump, on Filmloop's database.", _database),
    "export": ("Write all of a campaign as one file.", _export),
    "import": ("Read a campaign from such a file.", _import),
    "benchmark": ("Run a study of the source checkout.", _benchmark),
    "openapi": ("Print the API's description, for tools that write clients.", _openapi),
    "completion": ("Print what makes the Tab key know the commands.", _completion),
}


if __name__ == "__main__":
    main()
