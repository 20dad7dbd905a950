"""A lab for the fuzzer: campaigns with films, readings and models, so that ids in its requests can be ids of something.

The walk of the tests makes one of everything; beside it stand campaigns with a long queue for robots to claim from.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import httpx

from tests.integration.walk import PROBLEM, lead

QUEUES = 4
"""Campaigns with films to claim."""
_ID = re.compile(r"\b([a-z]{3})_[0-9a-hjkmnp-tv-z]{26}\b")
_LISTS = ("proposals", "films", "instruments", "samples", "retractions", "attachments", "model-versions")
Ids = dict[str, list[str]]
"""Ids of what there is, by their first three letters."""


def furnish(client: httpx.Client, decided: Callable[[str], None]) -> Ids:
    """Make a lab.

    Args:
        client: Of the API.
        decided: Returns when a campaign has no decision to wait for.
    """
    walked = lead(client, decided)
    campaigns = [str(client.get("/v1/campaigns").json()["items"][0]["id"])]
    campaigns += [_queue(client, number) for number in range(QUEUES)]
    for campaign in campaigns[1:]:
        decided(campaign)
    found = {"cmp": campaigns} | _told([response.text for _, response in walked.answered if _is_text(response)])
    listed = [client.get(f"/v1/campaigns/{c}/{noun}").text for c in campaigns for noun in _LISTS]
    return {kind: sorted({*found.get(kind, ()), *ids}) for kind, ids in (found | _told(listed)).items()}


def with_ids_of(ids: Ids, document: dict[str, Any]) -> dict[str, Any]:
    """The description with ids of the lab in its examples in place of those of another one."""
    known: dict[str, str] = {}
    taken: dict[str, int] = defaultdict(int)

    def real(found: re.Match[str]) -> str:
        if found[0] not in known and found[1] in ids:
            known[found[0]] = ids[found[1]][taken[found[1]] % len(ids[found[1]])]
            taken[found[1]] += 1
        return known.get(found[0], found[0])

    renamed: dict[str, Any] = json.loads(_ID.sub(real, json.dumps(document)))
    return renamed


def _queue(client: httpx.Client, number: int) -> str:
    told = {"name": f"queue {number}", "problem": PROBLEM, "queue_depth": 20}
    headers = {"Idempotency-Key": f"queue-{number}"}
    campaign = client.post("/v1/campaigns", json=told, headers=headers).raise_for_status().json()["id"]
    act = {"action": "activate"}
    client.post(f"/v1/campaigns/{campaign}/actions", json=act, headers=headers).raise_for_status()
    return str(campaign)


def _is_text(response: httpx.Response) -> bool:
    return str(response.headers.get("content-type", "")).startswith(("application/json", "text/"))


def _told(texts: list[str]) -> Ids:
    found: dict[str, set[str]] = defaultdict(set)
    for text in texts:
        for match in _ID.finditer(text):
            found[match[1]].add(match[0])
    return {kind: sorted(ids) for kind, ids in found.items()}
