"""Rules that JSON Schema cannot say: for these alone may a request that the description allows be refused.

A refusal counts as one of these only if its problem has the type of the rule and every message in it is the rule's.
What is 404 or 409 depends on what is recorded, never on the request alone, and is no matter of a schema; Schemathesis
has it so from the start.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REFUSED = "RejectedPositiveData"
"""A request that the description allows was not accepted."""
GONE = "EnsureResourceAvailability"
"""What was created just now cannot be read."""


@dataclass(frozen=True)
class Rule:
    """One rule, and why the schema cannot say it."""

    name: str
    message: str
    """Pattern of what the problem says."""
    why: str
    kind: str = "invalid-content"
    """Type of the problem."""
    failure: str = REFUSED
    """What the check calls it."""


_OF_THE_CAMPAIGN = "what there is in a campaign is recorded, not described"
_TWO_MEMBERS = "it compares two members of the body"

RULES = (
    Rule(
        "a key names one request", "was used before with another request", "a key is new or not", "idempotency-mismatch"
    ),
    Rule(
        "read before a change", "is in force: read the campaign again", "a tag is stale or not", "precondition-failed"
    ),
    Rule("whole numbers have no fraction", r"valid integer, got -?[\d.e+]+$", "JSON Schema takes 5.0 for an integer"),
    Rule("units have a grammar", "^unit .* cannot be read at|^a unit has at most 64", "a grammar is no pattern"),
    Rule("units have a dimension", "is not of the dimension of", "the campaign's unit decides"),
    Rule("properties of the campaign", "^property .* is not one of the campaign's", _OF_THE_CAMPAIGN),
    Rule("films of the campaign", "is not a film of campaign", _OF_THE_CAMPAIGN),
    Rule("devices of the film", "is outside 0..|is not a device position of film|needs length_mm", _OF_THE_CAMPAIGN),
    Rule("instruments of the campaign", "^instrument .* is not one of campaign", _OF_THE_CAMPAIGN),
    Rule("calibrations of the campaign", "^calibration .* (is not one of this|was not in force)", _OF_THE_CAMPAIGN),
    Rule("readings of the campaign", "are of no reading here|no reading fits the description", _OF_THE_CAMPAIGN),
    Rule(
        "elements of the campaign",
        "not among (the|the campaign's) elements|^unknown elements|is no element of the campaign",
        _OF_THE_CAMPAIGN,
    ),
    Rule("fractions sum to 1", "sums? to|sum is|must sum", "a sum"),
    Rule("as many compositions as devices", "compositions were given for", _OF_THE_CAMPAIGN),
    Rule("process of the campaign", "process variable|process variables|^the process", _OF_THE_CAMPAIGN),
    Rule("films by commands or by ends", "deposition grid: the film is wanted by", _OF_THE_CAMPAIGN),
    Rule("sources that are on", "no source is on at an end", "one of many numbers is above 0"),
    Rule("rules of the campaign", "breaks|above the largest|below the least|span|must lie", _OF_THE_CAMPAIGN),
    Rule("a rate for every element", "^the rate of .* is missing|one positive number for an element", _OF_THE_CAMPAIGN),
    Rule("cursors that a page gave", "is not the 'next' of a page", "a cursor is opaque"),
    Rule("readings once a batch", "is already that of row", "names differ within a list"),
    Rule("windows end after they begin", "must be after", _TWO_MEMBERS),
    Rule("times of two centuries", "the time must lie between", "an offset moves the time over the bound"),
    Rule(
        "instrument in body or address",
        "leave the parameter 'instrument' out|the parameter 'instrument' is missing",
        "OpenAPI cannot tie a parameter to a media type",
    ),
    Rule("bytes are whole numbers", "bytes are no whole number of", "a length after decoding"),
    Rule("as many numbers as points", "numbers were given for|has .* numbers", "a product of lengths"),
    Rule("grids of so many points", "compositions of this grid obey the rules; the bound is", "it counts compositions"),
    Rule("elements named in rules", "^rules name .* which are not among the elements", _TWO_MEMBERS),
    Rule(
        "one entry per name", "more than one entry in|names repeat|named more often|has more$", "names differ in a list"
    ),
    Rule("lower below upper", "must be below upper|is not below upper|is above", _TWO_MEMBERS),
    Rule("steps within the range", "a step of .* does not divide", _TWO_MEMBERS),
    Rule("commands on steps", "steps of .* up to|no multiple of the step", _TWO_MEMBERS),
    Rule("a position for each device", "positions were given for|positions must increase", _TWO_MEMBERS),
    Rule("listed films or a grid", "not both$", _TWO_MEMBERS),
    Rule("policies for so many objectives", "^policy .* (serves|takes no heed)|^Value error, policy", _TWO_MEMBERS),
    Rule("costs of the process", "^cost of ", _TWO_MEMBERS),
    Rule(
        "some film obeys all rules", "no composition obeys|no film|film choice", "whether linear rules have a solution"
    ),
    Rule(
        "answers that need a model",
        "there is no model yet",
        "a new campaign has no model, so nothing to tell of it",
        "not-found",
        GONE,
    ),
)


def rule_of(failure: str, problem: Mapping[str, Any]) -> str | None:
    """Names of the rules for which a request was refused; none if any message is of no rule.

    Args:
        failure: What the check calls it.
        problem: The answer.
    """
    kind = str(problem.get("type", "")).rpartition(":")[2]
    told = [str(e["message"]) for e in problem.get("errors", ())] or [str(problem.get("detail", ""))]
    found = [_named(failure, kind, message) for message in told]
    return None if None in found else ", ".join(sorted({name for name in found if name is not None}))


def _named(failure: str, kind: str, message: str) -> str | None:
    here = (r for r in RULES if (r.failure, r.kind) == (failure, kind))
    return next((r.name for r in here if re.search(r.message, message)), None)
