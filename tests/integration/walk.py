"""A walk through every call of the API, in the order in which a lab makes them."""

import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from service.api.openapi import operations
from service.operations import generations
from service.store import jobs
from tests.integration.contract import document, operation_of
from workers import generate
from workers.decide import run

AT = "2026-03-0{}T12:00:00Z"
PROBLEM = {
    "space": {
        "elements": ["Fe", "Co", "Ni"],
        "process": [{"kind": "continuous", "name": "anneal_c", "unit": "degC", "lower": 300.0, "upper": 600.0}],
    },
    "objectives": [
        {"property": "anomalous_hall", "unit": "uohm cm"},
        {"property": "coercivity", "unit": "mT", "direction": "minimise"},
    ],
    "film": {"devices": 5, "length_mm": 50.0},
    "policy": {"name": "space_filling"},
    "initial_films": 2,
}
NOT_WALKED = {"import_campaign"}
"""What wants a database of its own; the tests of archives call it."""
_ID = re.compile(r"\b([a-z]{3})_[0-9a-hjkmnp-tv-z]{26}\b")
_KEY_ID = re.compile(r"[0-9a-z]{8}")
OF_KEYS = {"id", "key_id", "created_by", "rotated_from", "subject"}
"""Where ids of keys are."""
KEPT = {"token": "kept-by-the-robot", "secret": f"flp_3f8m2k9d_{43 * 'x'}", "key": f"flp_3f8m2k9d_{43 * 'x'}"}
"""What no example may show, by the field that it is in."""
_NOW = re.compile(r"2026-(?!03-0)\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
SEVERAL = 2
"""Items of a list that an example shows."""


@dataclass
class Exchange:
    """What an example of an operation shows."""

    request: dict[str, Any] = field(default_factory=dict)
    """Bodies by media type."""
    answers: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    """Bodies by status and media type."""


@dataclass
class Walk:
    """Calls, and what they were answered."""

    client: httpx.Client
    exchanges: dict[str, Exchange] = field(default_factory=lambda: defaultdict(Exchange))
    answered: list[tuple[dict[str, Any], httpx.Response]] = field(default_factory=list)
    """Every answer with the operation that gave it."""
    _keys: int = 0

    def get(self, path: str, **given: Any) -> Any:
        return self._told(self.client.get(path, **given))

    def post(self, path: str, body: Any = None, *, token: str | None = None, **given: Any) -> Any:
        return self._told(self._sent("POST", path, body, token, **given))

    def delete(self, path: str) -> Any:
        return self._told(self.client.delete(path))

    def patch(self, path: str, body: Any, etag: str) -> Any:
        return self._told(self._sent("PATCH", path, body, None, headers={"If-Match": etag}))

    def _sent(self, method: str, path: str, body: Any, token: str | None, **given: Any) -> httpx.Response:
        self._keys += 1
        headers = {"Idempotency-Key": f"walk-{self._keys}", **given.pop("headers", {})}
        if token is not None:
            headers["Lease-Token"] = token
        if body is not None:
            given["json"] = body
        return self.client.request(method, path, headers=headers, **given)

    def _told(self, response: httpx.Response) -> Any:
        request = response.request
        said = operation_of(request.method, request.url.path)
        assert said is not None, f"{request.method} {request.url.path} is not described"
        assert response.status_code < 400, response.text
        self.answered.append((said, response))
        exchange, status = self.exchanges[said["operationId"]], str(response.status_code)
        if request.content:
            _show(exchange.request, request.headers, request.content)
        if response.content:
            _show(exchange.answers[status], response.headers, response.content)
        return response.json() if _media_type(response.headers) == "application/json" else response.content


def _show(bodies: dict[str, Any], headers: httpx.Headers, content: bytes) -> None:
    """Keep a body as an example, if it is one that can be read and its form has none yet."""
    kind = _media_type(headers)
    if kind == "application/json":
        bodies.setdefault(kind, json.loads(content))
    elif kind.startswith("text/") or kind.endswith("ndjson"):
        bodies.setdefault(kind, "".join(content.decode().splitlines(keepends=True)[: SEVERAL + 1]))


def _media_type(headers: httpx.Headers) -> str:
    return str(headers.get("content-type", "")).split(";")[0]


def walk(client: httpx.Client, sessions: Any, settings: Any) -> Walk:
    """Call everything that can be called; decisions are made by the worker's own code, in between."""
    return lead(client, deciding(sessions, settings))


def deciding(sessions: Any, settings: Any) -> Callable[[str], None]:
    """Makes the decisions that a campaign waits for."""

    def decide(campaign_id: str) -> None:
        with sessions() as session:
            waiting = [job.id for job in jobs.live(session, campaign_id) if job.state == "pending"]
        for job_id in waiting:
            run(sessions, settings, job_id, worker="walk")
        for generation_id in generations.due(sessions):
            generate.run(sessions, settings, generation_id, worker="walk")

    return decide


def lead(client: httpx.Client, decided: Callable[[str], None]) -> Walk:
    """Call everything; `decided` returns when a campaign has no decision to wait for."""
    lab = Walk(client)
    for path in ("/healthz", "/readyz", "/metrics", "/v1/capabilities"):
        lab.get(path)
    budget = {"films": 40, "devices": None, "hours": None}
    made = lab.post("/v1/campaigns", {"name": "Hall wafer", "problem": PROBLEM, "queue_depth": 3, "budget": budget})
    campaign = f"/v1/campaigns/{made['id']}"

    def decide() -> None:
        decided(made["id"])

    lab.post(f"{campaign}/actions", {"action": "activate"})
    instrument = _describe_the_lab(lab, campaign)
    decide()
    films = [_make_a_film(lab, campaign, number) for number in range(2)]
    _tell_more_of(lab, campaign, films[0])
    _look_at_films(lab, campaign, films[0])
    _retract(lab, campaign, films[0], instrument)
    _begin_another(lab, campaign)
    _hand_out_keys(lab, campaign)
    _have_a_say(lab, campaign)
    decide()
    _ask_what_is_known(lab, campaign)
    _seek_one_thing_only(lab, campaign)
    decide()
    lab.get(f"{campaign}/recommendation")
    _take_away(lab, campaign, films[0])
    return lab


def _describe_the_lab(lab: Walk, campaign: str) -> str:
    squid = {"name": "hall-1", "kind": "Hall bar, room temperature", "owner": "M. Curie", "notes": "room 12"}
    instrument = str(lab.post(f"{campaign}/instruments", squid)["id"])
    lab.get(f"{campaign}/instruments")
    lab.get(f"/v1/instruments/{instrument}")
    calibrated = {"method": "reference resistor, 100 mohm", "valid_from": AT.format(1)}
    calibration = lab.post(f"/v1/instruments/{instrument}/calibrations", calibrated)["id"]
    lab.get(f"/v1/instruments/{instrument}/calibrations")
    lab.get(f"/v1/calibrations/{calibration}")
    hall = {"property": "anomalous_hall", "unit": "uohm cm"}
    known = {"assigned_value": 2.5, "std_uncertainty": 0.05, "notes": "kept in nitrogen"}
    sample = lab.post(f"{campaign}/samples", {"name": "coupon 7"} | hall | known)["id"]
    read = [{"unit": "uohm cm", "value": 2.51 + 0.01 * k, "measured_at": AT.format(2 + k)} for k in range(2)]
    lab.post(f"/v1/samples/{sample}/readings", {"instrument": "hall-1", "readings": read})
    for path in (f"{campaign}/samples", f"/v1/samples/{sample}", f"/v1/samples/{sample}/readings"):
        lab.get(path)
    return instrument


def _make_a_film(lab: Walk, campaign: str, number: int) -> dict[str, Any]:
    lab.get(f"{campaign}/proposals/next", params={"robot": "sputter-1"})
    claim = lab.post(f"{campaign}/claims", {"robot": "sputter-1", "wait_s": 0})
    lease, token = f"/v1/leases/{claim['lease']['id']}", claim["lease"]["token"]
    if number == 0:
        lab.post(f"{campaign}/claims", {"robot": "sputter-1", "wait_s": 0})  # its own lease again
        lab.post(f"{lease}/renew", token=token)
        lab.post(f"{lease}/release", token=token)
        claim = lab.post(f"{campaign}/claims", {"robot": "sputter-1", "wait_s": 0})
        lease, token = f"/v1/leases/{claim['lease']['id']}", claim["lease"]["token"]
    lab.post(f"{lease}/start", token=token)
    made = [d["composition"] for d in claim["proposal"]["film"]["devices"]]
    done = {"outcome": "ok", "compositions": made, "note": "target 2 is near its end"}
    film: dict[str, Any] = lab.post(f"{lease}/complete", done, token=token)
    rows = [row for device in film["devices"] for row in _readings(film["id"], device, number)]
    batch = {"instrument": "hall-1", "measurements": rows}
    lab.post(f"{campaign}/measurement-batches", batch)
    return film


def _readings(film_id: str, device: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """What stands for a lab: two properties of a device."""
    x, k = device["proposed"], device["index"]
    at = {"film_id": film_id, "device": k, "measured_at": AT.format(3 + number)}
    hall = 4.0 - 9.0 * (x["Co"] - 0.45) ** 2 - 5.0 * (x["Ni"] - 0.25) ** 2
    field_mt = 3.0 + 4.0 * x["Co"]
    name = f"wafer {number}, device {k}"
    return [
        {
            "uid": f"{name}, hall",
            "property": "anomalous_hall",
            "unit": "uohm cm",
            "value": hall,
            "std_uncertainty": 0.05,
        }
        | at,
        {"uid": f"{name}, field", "property": "coercivity", "unit": "mT", "value": field_mt} | at,
    ]


def _tell_more_of(lab: Walk, campaign: str, film: dict[str, Any]) -> None:
    """Another film that fails; a batch as CSV, only checked; a composition map and a spectrum."""
    claim = lab.post(f"{campaign}/claims", {"robot": "sputter-2", "wait_s": 0})
    lease, token = f"/v1/leases/{claim['lease']['id']}", claim["lease"]["token"]
    lab.post(f"{lease}/start", token=token)
    lab.post(f"{lease}/fail", {"outcome": "equipment", "reason": "the plasma went out"}, token=token)
    table = f"film_id,device,property,unit,value,measured_at\n{film['id']},0,coercivity,gauss,31.5,{AT.format(7)}\n"
    asked = {"instrument": "vsm", "validate_only": "true"}
    headers = {"Content-Type": "text/csv"}
    lab.post(f"{campaign}/measurement-batches", params=asked, content=table.encode(), headers=headers)
    coercivity = {"film_id": film["id"], "property": "coercivity", "unit": "gauss"}
    lines = [coercivity | {"device": device, "value": 31.5 + device} for device in (0, 1)]
    ndjson = "\n".join(json.dumps(line | {"measured_at": AT.format(7)}) for line in lines) + "\n"
    headers = {"Content-Type": "application/x-ndjson"}
    asked = {"instrument": "vsm", "atomic": "false"}
    lab.post(f"{campaign}/measurement-batches", params=asked, content=ndjson.encode(), headers=headers)
    seen = {e: round(100 * share, 3) for e, share in film["devices"][0]["proposed"].items()}
    part = {"film_id": film["id"], "device": 0, "fractions": seen, "measured_at": AT.format(8)}
    lab.post(f"{campaign}/composition-maps", {"instrument": "edx", "unit": "at.%", "compositions": [part]})
    axis = {"name": "2theta", "unit": "degree", "values": [43.0, 43.5, 44.0, 44.5]}
    pattern = {"kind": "diffraction_pattern", "label": "Cu K-alpha", "unit": "counts", "axes": [axis]}
    pattern |= {"film_id": film["id"], "device": 0, "measured_at": AT.format(8)}
    pattern["data"] = {"dtype": "float32", "values": [12.0, 180.0, 955.0, 33.0]}
    (attached,) = lab.post(f"{campaign}/attachments", {"instrument": "xrd", "attachments": [pattern]})["attachment_ids"]
    lab.get(f"{campaign}/attachments")
    lab.get(f"/v1/attachments/{attached}")


def _look_at_films(lab: Walk, campaign: str, film: dict[str, Any]) -> None:
    lab.get(f"{campaign}/films")
    lab.get(f"/v1/films/{film['id']}")
    proposal = f"/v1/proposals/{film['proposal_id']}"
    lab.get(f"{campaign}/proposals")
    lab.get(proposal)
    lab.get(f"{proposal}/inputs")
    replay = lab.post(f"{proposal}/replays")["id"]
    lab.get(f"{proposal}/replays")
    lab.get(f"/v1/replays/{replay}")


def _retract(lab: Walk, campaign: str, film: dict[str, Any], instrument: str) -> None:
    when = {"measured_from": AT.format(3), "measured_until": AT.format(4)}
    said = {"instrument": "hall-1", "reason": "the contacts were reversed"} | when
    retraction = lab.post(f"{campaign}/retractions", said)["id"]
    lab.get(f"{campaign}/retractions")
    lab.get(f"/v1/retractions/{retraction}")
    lab.get(f"/v1/retractions/{retraction}/readings")
    lab.post(f"/v1/retractions/{retraction}/reversal", {"reason": "they were not"})
    lab.get(f"{campaign}/dataset")
    lab.get(f"{campaign}/dataset/samples")


def _begin_another(lab: Walk, campaign: str) -> None:
    """A campaign like this one, which learns from it and from a table."""
    said = {"name": "Hall wafer, hotter", "changes": {"problem": {"seed": 7}, "queue_depth": 1}}
    clone = lab.post(f"{campaign}/clones", said)["id"]
    prior = f"/v1/campaigns/{clone}/prior-data"
    taken = lab.post(prior, {"campaign_id": campaign.rsplit("/", 1)[-1], "name": "the first wafers"})
    read = {"property": "rho_xy", "unit": "nohm m", "process": {"anneal_c": 450.0}, "film": "wafer 3"}
    rows = [read | {"composition": {"Fe": x, "Co": 1.0 - x}, "value": 30.0 + 10.0 * x} for x in (0.25, 0.5)]
    asked = {"name": "thesis, 2019", "rename": "rho_xy:anomalous_hall"}
    body = json.dumps({"rows": rows}).encode()
    lab.post(f"{prior}/files", params=asked, content=body, headers={"Content-Type": "application/json"})
    table = "x_Fe,x_Co,process_anneal_c,property,value [uohm cm]\n0.75,0.25,450,anomalous_hall,3.1\n"
    headers = {"Content-Type": "text/csv"}
    lab.post(f"{prior}/files", params={"validate_only": "true"}, content=table.encode(), headers=headers)
    one = f"/v1/prior-data/{taken['prior_data']['id']}"
    for path in (prior, one, f"{one}/rows"):
        lab.get(path)
    lab.post(f"{one}/withdrawal", {"reason": "their furnace was not calibrated"})
    lab.post(f"{one}/reinstatement", {"reason": "it was"})
    lab.get(f"/v1/campaigns/{clone}/dataset")


def _hand_out_keys(lab: Walk, campaign: str) -> None:
    said = {"name": "hall-1", "scopes": ["measurements:write"], "campaigns": [campaign.rsplit("/", 1)[-1]]}
    key = lab.post("/v1/keys", said | {"expires_at": "2199-01-01T00:00:00Z"})
    new = lab.post(f"/v1/keys/{key['id']}/rotation", {"overlap_s": 3600})
    lab.get(f"/v1/keys/{key['id']}")
    lab.get("/v1/keys")
    lab.post("/v1/session", {"key": new["secret"]})
    lab.get("/v1/session")
    lab.delete("/v1/session")
    lab.post(f"/v1/keys/{new['id']}/revocation")
    lab.get("/v1/audit")


def _have_a_say(lab: Walk, campaign: str) -> None:
    ends = {"a": {"Fe": 0.5, "Co": 0.5}, "b": {"Co": 0.5, "Ni": 0.5}, "process": {"anneal_c": 450.0}}
    wanted = lab.post(f"{campaign}/proposals", ends | {"reason": "as in 2019"})["id"]
    lab.post(f"/v1/proposals/{wanted}/actions", {"action": "prioritise"})
    near = {"anomalous_hall": {"value": 3.5, "tolerance": 0.2}}
    few = {"bounds": [{"element": "Ni", "upper": 0.3}]}
    lab.post(f"{campaign}/generations", {"count": 3, "targets": near, "constraints": few})
    policy = {"name": "hypervolume_improvement", "raw_films": 16, "restarts": 1, "mc_samples": 16}
    _change(lab, campaign, {"problem": {"policy": policy}, "queue_depth": 1})
    lab.get(f"{campaign}/configurations")
    lab.get(f"{campaign}/configurations/1")


def _change(lab: Walk, campaign: str, change: dict[str, Any]) -> None:
    lab.get("/v1/campaigns")
    lab.get(campaign)
    lab.patch(campaign, change, etag=lab.answered[-1][1].headers["ETag"])


def _seek_one_thing_only(lab: Walk, campaign: str) -> None:
    policy = {"name": "expected_improvement", "raw_films": 16, "restarts": 1, "mc_samples": 16}
    _change(lab, campaign, {"problem": {"objectives": PROBLEM["objectives"][:1], "policy": policy}})


def _ask_what_is_known(lab: Walk, campaign: str) -> None:
    for noun in ("model-versions", "lineage", "pareto", "calibration", "stop-advice", "events"):
        lab.get(f"{campaign}/{noun}")
    asked = lab.get(f"{campaign}/generations")["items"][-1]["id"]
    lab.get(f"/v1/generations/{asked}")
    model = lab.get(f"{campaign}/model-versions")["items"][-1]["id"]
    lab.get(f"/v1/model-versions/{model}")
    lab.get(f"/v1/model-versions/{model}/posterior")
    asked = {"line": {"a": {"Fe": 1.0}, "b": {"Co": 1.0}, "points": 3}, "process": {"anneal_c": 450.0}}
    lab.post(f"/v1/model-versions/{model}/predictions", asked)
    lab.post(f"{campaign}/predictions", {"grid": {"divisions": 2}})


def _take_away(lab: Walk, campaign: str, film: dict[str, Any]) -> None:
    ids = {"{campaign_id}": campaign.rsplit("/", 1)[-1], "{proposal_id}": film["proposal_id"]}
    rates = {"rate": ["Fe:0.12", "Co:0.1", "Ni:0.1"]}
    for path, method, _ in operations(document()):
        if method == "get" and ("/exports/" in path or path.endswith("/recipe")):
            lab.get(re.sub(r"\{\w+\}", lambda found: ids[found[0]], path), params=rates)


def as_examples(lab: Walk) -> dict[str, Any]:
    """The exchanges as examples: short lists, and ids and times that do not change with every walk."""
    whole = {name: {"request": e.request, "answers": dict(e.answers)} for name, e in sorted(lab.exchanges.items())}
    whole["import_campaign"] = {"answers": {"201": whole["read_campaign"]["answers"]["200"]}}
    ids: dict[str, str] = {}

    def alike(value: Any) -> Any:
        if isinstance(value, dict):
            told = {key: KEPT.get(key, alike(inner)) for key, inner in value.items()}
            of_keys = {key for key, inner in told.items() if key in OF_KEYS and _KEY_ID.fullmatch(str(inner))}
            return told | dict.fromkeys(of_keys, "3f8m2k9d")
        if isinstance(value, list):
            return [alike(inner) for inner in value]
        if not isinstance(value, str):
            return value
        value = _ID.sub(lambda found: ids.setdefault(found[0], f"{found[1]}_01m7x4{len(ids):020d}"), value)
        return _NOW.sub("2026-03-09T08:00:00.000000Z", value)

    found: dict[str, Any] = alike(_shortened(whole))
    return found


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value[:SEVERAL]]
    return float(f"{value:.6g}") if isinstance(value, float) else value
