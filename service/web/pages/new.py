"""A new campaign: a form that writes the same JSON that a program would send, checks it as it grows and shows it."""

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from models.catalog import policies_for
from models.problem import Problem
from service.errors import InvalidInput
from service.operations import units
from service.web.rendering import render

router = APIRouter()

FOLDER = Path(__file__).parents[1] / "blueprints"
BLUEPRINTS = ("demo", "alloy", "oxide")
POLICIES = {n: policies_for(n) for n in (1, 2)}
"""Names of the policies that serve one objective, and several."""
SEEKING = frozenset(name for n in POLICIES for name in policies_for(n, targets=True))
"""Names of the policies that can seek a target."""


@router.get("/new")
def show_form(
    request: Request, blueprint: Annotated[Literal["demo", "alloy", "oxide"], Query(alias="from")] = "demo"
) -> Response:
    """The form, filled from a blueprint."""
    return render(
        request,
        "new.html",
        blueprints=BLUEPRINTS,
        chosen=blueprint,
        draft=blueprints()[blueprint],
        policies=POLICIES,
        seeking=SEEKING,
    )


@router.post("/new/check")
def check(problem: Annotated[Any, Body(embed=True)]) -> Response:  # noqa: ANN401 - as a person has written it so far
    """What is wrong with a problem, place by place; nothing is stored."""
    return JSONResponse({"errors": faults(problem)})


def faults(problem: Any) -> list[dict[str, str]]:  # noqa: ANN401 - as above
    """What is wrong with a problem as JSON: each place, as a JSON Pointer from the campaign's root, and the matter."""
    try:
        units.check_problem(Problem.model_validate_json(json.dumps(problem)))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return [{"pointer": pointer(f["loc"], problem), "message": _plain(f["msg"])} for f in found]
    except InvalidInput as error:
        return [{"pointer": v.pointer, "message": v.message} for v in error.violations]
    return []


def pointer(place: Sequence[str | int], problem: Any) -> str:  # noqa: ANN401 - as above
    """JSON Pointer of a fault; names of kinds, which pydantic adds and the problem has not, are left out."""
    found, here = "/problem", problem
    for number, part in enumerate(place):
        if isinstance(here, Mapping) and (part in here or number == len(place) - 1):
            found, here = f"{found}/{part}", here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            found, here = f"{found}/{part}", here[part]
    return found


@functools.cache
def blueprints() -> Mapping[str, Any]:
    """What a campaign may begin with, by name."""
    return {name: json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in BLUEPRINTS}


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Assertion error, ")
