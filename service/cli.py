"""The command `filmloop`: what it offers, without importing any of it before it is asked for."""

# ruff: noqa: PLC0415 - importing late is what this module is for
from collections.abc import Callable

import click


class LazyGroup(click.Group):
    """A group whose commands are imported when one is run, so that `--help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command itself, imported now."""
        return COMMANDS[cmd_name][1]() if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write one line per command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (help_line, _) in COMMANDS.items()])


@click.group(cls=LazyGroup)
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


COMMANDS: dict[str, tuple[str, Callable[[], click.Command]]] = {
    "demo": ("Explore a real Fe-Ga-Pd wafer, from the first film to the best magnetisation.", _demo),
    "up": ("Run everything: database, broker, API, workers, housekeeping.", _up),
    "simulate": ("Play the robots and instruments of a lab against a running Filmloop.", _simulate),
    "doctor": ("Check what Filmloop needs, and say how to mend what is broken.", _doctor),
    "migrate": ("Bring the database's schema up to date.", _migrate),
    "database": ("Run a tool of Postgres, such as pg_dump, on Filmloop's database.", _database),
    "export": ("Write all of a campaign as one file.", _export),
    "import": ("Read a campaign from such a file.", _import),
    "openapi": ("Print the API's description, for tools that write clients.", _openapi),
}


if __name__ == "__main__":
    main()
