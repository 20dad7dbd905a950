"""How a command ends that could not do what it was told: a line for people, a status for programs.

0 is done, 1 something is wrong, 2 called wrongly, 3 Filmloop refused, 4 it could not be reached, 130 Ctrl-C.
"""

from __future__ import annotations

import click

from filmloop_client import FilmloopError, TooManyRequests, Unavailable, Unreachable


class Refused(click.ClickException):
    """Filmloop answered, and said no."""

    exit_code = 3


class NotReached(click.ClickException):
    """Nobody answered."""

    exit_code = 4


def ending(error: Exception) -> click.ClickException:
    """What is said of an error that no command expected or that Filmloop answered, without a traceback."""
    if isinstance(error, Unreachable | Unavailable | TooManyRequests):
        return NotReached(f"{error}\nIs Filmloop running there? `filmloop up` starts it, `filmloop doctor` says more.")
    if isinstance(error, FilmloopError):
        return Refused(str(error))
    return click.ClickException(f"{type(error).__name__}: {error}\n(FILMLOOP_DEBUG=1 shows where)")
