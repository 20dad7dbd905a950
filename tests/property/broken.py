"""Ways in which the service, or what is said of it, could be wrong: each must be noticed by the lives of campaigns."""

from collections.abc import Callable

import pytest
from sqlalchemy import true

from service.operations import claims, leases
from service.store import proposals
from tests.property import life


def _fences_stay(patch: pytest.MonkeyPatch) -> None:
    moved = proposals.move

    def move(*given, raise_fence=False, **named):
        return moved(*given, **named)

    patch.setattr(proposals, "move", move)


BROKEN: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "fences stay as they are": _fences_stay,
    "films in the making are given back": lambda p: p.setitem(leases._ALLOWED_FROM, "release", ("leased", "running")),
    "a decision supersedes wishes": lambda p: p.setattr(proposals, "UNWANTED", true()),
    "the budget is not looked at": lambda p: p.setattr(claims, "refuse_if_spent", lambda *_, **__: None),
    "the model lets films start twice": lambda p: p.setitem(life.ROBOT, "start", ["leased", "running"]),
}
EASY = "fences stay as they are"
"""Noticed within a few steps."""
