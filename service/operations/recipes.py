"""A proposed film as a recipe for a sputter tool: what each source deposits at both ends, how long, and the wedge.

Along the gradient the flux of an element runs from u_e at end A to v_e = r b_e / a_e u_e at end B in a straight line
(`models/film.py`), which is what a shutter that moves evenly makes. With a dose D of atoms at end A and a rate q_e
of the source, both in one unit of atoms per area,

    t_e(A) = a_e D / q_e,    t_e(B) = r b_e D / q_e,    wedge_e = t_e(B) - t_e(A)
"""

from collections.abc import Mapping
from typing import IO

from sqlalchemy.orm import Session

from models.problem import Problem
from service.errors import InvalidInput, Violation
from service.operations.archive.sheets import Column, Row, Sheet, write_csv
from service.store import datasets, proposals


def recipe(session: Session, proposal_id: str, rates: Mapping[str, float], dose: float) -> Sheet:
    """The recipe of a proposal, one row per element that is in its film.

    Args:
        session: An open session.
        proposal_id: The proposal.
        rates: Atoms per area and second of each source; without any, times are left out.
        dose: Atoms per area at end A, in the unit of `rates` times seconds.

    Raises:
        NotFound: If there is no such proposal.
        InvalidInput: If a rate is missing, or one is of no element of the campaign.
    """
    row = proposals.get(session, proposal_id)
    problem = datasets.problem(session, row.campaign_id, row.config_revision)
    film = row.film
    present = [e for e in problem.space.elements if max(film["a"].get(e, 0.0), film["b"].get(e, 0.0)) > 0.0]
    wrong = sorted(set(rates) - set(problem.space.elements))
    missing = [e for e in present if rates and e not in rates]
    if wrong or missing:
        told = [f"{e} is no element of the campaign" for e in wrong] + [f"the rate of {e} is missing" for e in missing]
        raise InvalidInput("; ".join(told), [Violation("/rate", message) for message in told])
    commands = film.get("commands")
    unit = "" if commands is None else commands["unit"]
    ratio = _flux_ratio(film, problem)
    columns = [
        Column("element", "text", "source"),
        Column("fraction_a", "number", "at end A", "atomic fraction"),
        Column("fraction_b", "number", "at end B", "atomic fraction"),
        Column("rate", "number", "as given", "atoms per area and s"),
        Column("time_a", "number", "deposition time at end A", "s"),
        Column("time_b", "number", "deposition time at end B", "s"),
        Column("wedge", "number", "time at end B less time at end A: even motion of the shutter", "s"),
        Column("command_a", "number", "what the source is told at end A", unit),
        Column("command_b", "number", "what the source is told at end B", unit),
    ]

    def line(element: str) -> Row:
        a, b = (film[end].get(element, 0.0) for end in ("a", "b"))
        times: list[float | None] = [None, None, None]
        if rates:
            begin, end = a * dose / rates[element], ratio * b * dose / rates[element]
            times = [begin, end, end - begin]
        told = [None, None] if commands is None else [commands[end].get(element, 0.0) for end in ("a", "b")]
        return [element, a, b, rates.get(element), *times, *told]

    return Sheet("recipe", f"Recipe of proposal {proposal_id}", columns, [line(e) for e in present])


def written(sheet: Sheet, file: IO[bytes]) -> None:
    """Write a recipe as CSV."""
    write_csv(sheet, file)


def _flux_ratio(film: Mapping[str, Mapping[str, Mapping[str, float]]], problem: Problem) -> float:
    """Total flux at end B over that at end A: of the film's own commands, if it has any."""
    commands, grid = film.get("commands"), problem.film.grid
    if commands is None or grid is None:
        return problem.film.flux_ratio
    rate = {source.element: source.rate for source in grid.sources}
    at_a, at_b = (sum(rate[e] * c for e, c in commands[end].items()) for end in ("a", "b"))
    return at_b / at_a
