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


GOOD_FILES = Rule(
    "files that are good",
    "(?!)",
    "Schemathesis tries files of our own making among the wrong bodies, too, and they are right",
    "",
    "AcceptedNegativeData",
)
"""The only one of a request that was taken. The hooks know their files; no answer is matched."""
HEADERS = Rule("unknown headers", "(?!)", "no server refuses them (RFC 9110, 5.1)", "", "AcceptedNegativeData")
"""As above: the hooks see that nothing else is wrong with the request."""
_OF_THE_CAMPAIGN = "what there is in a campaign is recorded, not described"
_TWO_MEMBERS = "it compares two members of the body"

RULES = (
    Rule("a key is of one request", "was used before with another request", "new or not", "idempotency-mismatch"),
    Rule("read before a change", "is in force: read the campaign again", "new or not", "precondition-failed"),
    Rule("whole numbers have no fraction", r"^Input should be a valid integer, got -?\d+\.0$", "JSON Schema takes 5.0"),
    Rule(
        "units have a grammar",
        "^unit .* (cannot be read at|is not known;)|^a unit has at most 64",
        "a grammar is no pattern",
    ),
    Rule("numbers that fit their type", "is too large for float32$", _TWO_MEMBERS),
    Rule("units have a dimension", "^unit .* is not of the dimension of", "the campaign's unit decides"),
    Rule("properties of the campaign", "^property .* is not one of the campaign's", _OF_THE_CAMPAIGN),
    Rule("targets of the campaign", "is none of the campaign's properties", _OF_THE_CAMPAIGN),
    Rule("films of the campaign", "^film .* is not a film of campaign", _OF_THE_CAMPAIGN),
    Rule("devices of the film", r"^device \d+ is outside|is not a device position of film", _OF_THE_CAMPAIGN),
    Rule("places in mm of films with a length", "^position_mm needs length_mm", _OF_THE_CAMPAIGN),
    Rule("instruments of the campaign", "^instrument .* is not one of campaign", _OF_THE_CAMPAIGN),
    Rule("calibrations of the campaign", "^calibration .* (is not one of this|was not in force)", _OF_THE_CAMPAIGN),
    Rule("readings of the campaign", "are of no reading here|^no reading fits the description", _OF_THE_CAMPAIGN),
    Rule("films that obey the campaign", r"^the film breaks \d+ rule", _OF_THE_CAMPAIGN),
    Rule("prior data that fit", r"readings do not fit, e\.g\.|^no row fits the campaign", _OF_THE_CAMPAIGN),
    Rule("names of prior data", r"^\d+ name\(s\) of (properties|process)", _OF_THE_CAMPAIGN),
    Rule("campaigns to learn from", "^there is no campaign", _OF_THE_CAMPAIGN),
    Rule("prior data of others", "^a campaign has its own data already$", "it compares body and address"),
    Rule("revisions that there are", r"is at revision \d+ yet$", _OF_THE_CAMPAIGN),
    Rule("elements of the campaign", r"not among the (campaign's )?elements [\w, ]+$", _OF_THE_CAMPAIGN),
    Rule("process of the campaign", r"^process values .* are not |^.+ is .+, not (within|one of) ", _OF_THE_CAMPAIGN),
    Rule("a rate for every element", "^the rate of .* is missing|is no element of the campaign$", _OF_THE_CAMPAIGN),
    Rule("one rate for an element", "is not one positive number for an element", "names differ within a list"),
    Rule("as many compositions as devices", r"^\d+ compositions were given for", _OF_THE_CAMPAIGN),
    Rule("fractions sum to 1", "^fractions (must )?sum to 1|^the fractions sum to", "a sum"),
    Rule("cursors that a page gave", "^after .* is not the 'next' of a page", "a cursor is opaque"),
    Rule("readings once a batch", "is already that of row", "names differ within a list"),
    Rule("devices once a map", "^device .* is there twice$", "places differ within a list"),
    Rule(
        "values in the campaign's unit", r"must lie within 1e\+100|^a standard uncertainty is 1e-100", _OF_THE_CAMPAIGN
    ),
    Rule(
        "so many units a batch",
        "has at most .* different units|are at most .* different units",
        "it counts different words",
    ),
    Rule("windows end after they begin", "^(valid|measured)_until .*must be after", _TWO_MEMBERS),
    Rule("times of two centuries", "^the time must lie between", "an offset moves a time over the bound"),
    Rule(
        "instrument in body or address",
        "leave the parameter 'instrument' out$|^the parameter 'instrument' is missing",
        "OpenAPI cannot tie a parameter to a media type",
    ),
    Rule("bytes are whole numbers", r"^\d+ bytes are no whole number of", "a length after decoding"),
    Rule("as many numbers as points", "values do not fill axes of", "a product of lengths"),
    Rule(
        "grids of so many points",
        "^\\d+ compositions of this grid obey|^a grid of \\d+ divisions has",
        "it counts compositions",
    ),
    Rule("elements named in rules", "^rules name .* which are not among the elements", _TWO_MEMBERS),
    Rule("known elements of the campaign", r"known composition \d+: .* are not among", _TWO_MEMBERS),
    Rule("known fractions sum to 1", r"known composition \d+: its fractions do not sum to 1", "a sum"),
    Rule("one entry per name", "more than one entry in|names repeat$|is named more often$|has more$", "within a list"),
    Rule("keys that end later", "^must be in the future$", "time goes on"),
    Rule("scopes of the whole service", "is of every campaign: the key", _TWO_MEMBERS),
    Rule("lower below upper", "lower .* (must be below|is not below|is above) upper", _TWO_MEMBERS),
    Rule("spans in order", "^span_min .* is above span_max", _TWO_MEMBERS),
    Rule("steps within the range", "a step of .* does not divide", _TWO_MEMBERS),
    Rule("commands on steps", "more than 10,000,000 steps of|no multiple of the step", _TWO_MEMBERS),
    Rule("a position for each device", r"^\d+ positions were given for|^positions must increase$", _TWO_MEMBERS),
    Rule("listed films or a grid", "^films are either listed", _TWO_MEMBERS),
    Rule("policies for so many objectives", "^(Value error, )?policy .* (serves|takes no heed)", _TWO_MEMBERS),
    Rule("policies for targets", "and policy .* takes no target; these do", _TWO_MEMBERS),
    Rule("references beyond the tolerance", "reference .* lies within the tolerance", _TWO_MEMBERS),
    Rule("costs of the process", "^(Value error, )?cost of ", _TWO_MEMBERS),
    Rule(
        "some film obeys all rules",
        "^no composition obeys|^no (free|pair) film|^film choice",
        "whether rules have a solution",
    ),
    Rule(
        "answers that need a model",
        "^there is no (trained )?model yet",
        "a new campaign has no model that could tell it",
        "not-found",
        GONE,
    ),
    GOOD_FILES,
    HEADERS,
)


def rule_of(failure: str, problem: Mapping[str, Any]) -> str | None:
    """Names of the rules for which a request was refused; none if any message is of no rule.

    Args:
        failure: What the check calls it.
        problem: The answer.
    """
    kind, detail = str(problem.get("type", "")).rpartition(":")[2], str(problem.get("detail", ""))
    if (whole := _named(failure, kind, detail)) is not None:
        return whole
    found = [_named(failure, kind, str(e["message"])) for e in problem.get("errors", ())] or [None]
    return None if None in found else ", ".join(sorted({name for name in found if name is not None}))


def _named(failure: str, kind: str, message: str) -> str | None:
    here = (r for r in RULES if (r.failure, r.kind) == (failure, kind))
    return next((r.name for r in here if re.search(r.message, message)), None)
