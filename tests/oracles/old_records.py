"""Records as earlier versions of the schema kept them: a row in every table, with the JSON of their time."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, MetaData, insert

CAMPAIGN, FILM, MODEL = (
    "cmp_01j0000000000000000000000a",
    "flm_01j0000000000000000000000a",
    "mdl_01j0000000000000000000000a",
)
BEGUN = datetime(2025, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
ENDS = ({"Fe": 1.0, "Ga": 0.0}, {"Fe": 0.0, "Ga": 1.0})
POINTS = {
    "points": [ENDS[0]],
    "mean": [1.5],
    "sd": [0.25],
    "best": {"composition": ENDS[0], "mean": 1.5, "sd": 0.25},
}
PROVENANCE = {
    "config_revision": 1,
    "revision": 0,
    "snapshot_hash": "0" * 64,
    "model_version_id": None,
    "policy": "random",
    "policy_options": {},
    "seed": 0,
    "pending_film_count": 0,
    "code_version": "0",
    "versions": {},
}

_of_campaign = {"campaign_id": CAMPAIGN}
_devices = [{"index": k, "position": float(k), "composition": ENDS[k], "predicted": None} for k in (0, 1)]
_film = {"a": ENDS[0], "b": ENDS[1], "process": {}, "positions": [0.0, 1.0], "devices": _devices}
_proposal = {
    **_of_campaign,
    "job_id": "job_a",
    "config_revision": 1,
    "revision": 0,
    "film": _film,
    "source": "random",
    "policy": "random",
    "reason": "the first film",
    "alternatives": [],
    "provenance": PROVENANCE,
}
_reading = {
    **_of_campaign,
    "batch_id": "bat_a",
    "instrument_id": "ins_a",
    "film_id": FILM,
    "property": "m",
    "unit": "emu/cm3",
    "measured_at": BEGUN,
    "revision": 1,
}

FIRST: dict[str, list[dict[str, Any]]] = {
    "campaign": [{"id": CAMPAIGN, "name": "wafer", "state": "active", "revision": 1, "decided_revision": 0}],
    "campaign_config": [
        {
            **_of_campaign,
            "number": 1,
            "problem": {
                "space": {"elements": ["Fe", "Ga"]},
                "objectives": [{"property": "m", "unit": "emu/cm3"}],
                "film": {"devices": 2},
            },
            "queue_depth": 1,
            "lease_ttl_s": 300,
            "lease_overdue_s": 600,
        }
    ],
    "revision": [
        {**_of_campaign, "number": 0, "cause": "created", "snapshot_hash": "0" * 64},
        {**_of_campaign, "number": 1, "cause": "batch", "cause_id": "bat_a"},
    ],
    "event": [{**_of_campaign, "seq": 1, "type": "batch.recorded", "at": BEGUN, "data": {"batch_id": "bat_a"}}],
    "idempotency": [
        {"scope": "POST /v1/campaigns", "key": "k", "request_hash": "h", "status": 201, "body": {"id": CAMPAIGN}}
    ],
    "job": [{"id": "job_a", **_of_campaign, "kind": "decide", "wanted_revision": 0, "state": "succeeded"}],
    "artifact": [{"sha256": "a" * 64, "size": 1}],
    "model_version": [
        {
            "id": MODEL,
            **_of_campaign,
            "job_id": "job_a",
            "artifact_sha256": "a" * 64,
            "kind": "surrogate",
            "name": "film_gp",
            "revision": 0,
            "snapshot_hash": "0" * 64,
            "seed": 7,
            "metrics": {"evidence": -1.5},
            "versions": {"torch": "2"},
            "posterior": POINTS,
        }
    ],
    "proposal": [
        {"id": "prp_a", **_proposal, "state": "made", "rank": 0, "fence": 1},
        {"id": "prp_b", **_proposal, "state": "leased", "rank": 1, "fence": 1, "gain": 0.5},
    ],
    "lease": [
        {
            "id": "lse_b",
            **_of_campaign,
            "proposal_id": "prp_b",
            "robot": "bob",
            "fence": 1,
            "token": "secret",
            "expires_at": BEGUN + timedelta(days=36500),
        }
    ],
    "film": [
        {
            "id": FILM,
            **_of_campaign,
            "proposal_id": "prp_a",
            "robot": "ada",
            "state": "made",
            "outcome": "ok",
            "process": {},
            "devices": 2,
            "completed_at": BEGUN,
        }
    ],
    "composition_reading": [
        {
            "film_id": FILM,
            "device": k,
            "position": float(k),
            "kind": "nominal",
            "revision": 0,
            "composition": ENDS[k],
        }
        for k in (0, 1)
    ],
    "instrument": [{"id": "ins_a", **_of_campaign, "name": "squid"}],
    "measurement_batch": [
        {"id": "bat_a", **_of_campaign, "instrument_id": "ins_a", "revision": 1, "accepted": 2, "duplicates": 0}
    ],
    "measurement": [
        {**_reading, "id": "msr_a", "device": 0, "uid": "u", "value": 1.5, "status": "ok", "row_hash": "1" * 64},
        {**_reading, "id": "msr_b", "device": 1, "uid": "v", "value": None, "status": "dead", "row_hash": "2" * 64},
    ],
}

SECOND: dict[str, list[dict[str, Any]]] = {
    "decision": [
        {"job_id": "job_a", **_of_campaign, "revision": 0, "films": 0, "readings": 0, "pending": 0, "policy": "random"}
    ]
}

THIRD: dict[str, list[dict[str, Any]]] = {
    "array": [{"sha256": "b" * 64, "dtype": "float64", "size": 1, "data": b"\0" * 8}],
    "attachment": [
        {
            "id": "att_a",
            **_of_campaign,
            "film_id": FILM,
            "instrument_id": "ins_a",
            "kind": "spectrum",
            "label": "",
            "unit": "1",
            "axes": [],
            "array_sha256": "b" * 64,
            "measured_at": BEGUN,
            "content_hash": "c",
        }
    ],
    "calibration": [{"id": "cal_a", **_of_campaign, "instrument_id": "ins_a", "method": "nickel", "valid_from": BEGUN}],
    "sample": [{"id": "smp_a", **_of_campaign, "name": "c7", "property": "m", "unit": "emu/cm3"}],
    "retraction": [
        {
            "id": "ret_a",
            **_of_campaign,
            "what": {"kind": "ids", "measurement_ids": ["msr_b"]},
            "reason": "spike",
            "revision": 2,
        }
    ],
    "retracted_reading": [{"retraction_id": "ret_a", "measurement_id": "msr_b"}],
    "retracted_composition": [{"retraction_id": "ret_a", "composition_id": 2}],
    "replay": [{"id": "rpl_a", **_of_campaign, "proposal_id": "prp_a", "state": "succeeded", "verdict": "identical"}],
}

FOURTH: dict[str, list[dict[str, Any]]] = {
    "prior_data": [
        {
            "id": "pri_a",
            **_of_campaign,
            "name": "literature",
            "kind": "file",
            "source": {"form": "text/csv", "sha256": "d" * 64, "properties": {}, "process": {}, "unfit": "leave_out"},
            "rows": 1,
            "left_out": {"dead": 1},
            "content_hash": "e" * 64,
            "revision": 3,
        }
    ],
    "prior_reading": [
        {
            "prior_data_id": "pri_a",
            "number": 0,
            "property": "m",
            "unit": "emu/cm3",
            "value": 0.5,
            "status": "ok",
            "composition": ENDS[0],
            "process": {},
            "row_hash": "f" * 64,
        }
    ],
    "prior_withdrawal": [
        {"id": "pwd_a", "prior_data_id": "pri_a", **_of_campaign, "reason": "another phase", "revision": 4}
    ],
}

FIFTH: dict[str, list[dict[str, Any]]] = {
    "api_key": [
        {
            "id": "3f8m2k9d",
            "sha256": "a" * 64,
            "name": "squid",
            "scopes": ["measurements:write"],
            "every_campaign": False,
            "holder": "3f8m2k9d",
        }
    ],
    "campaign_grant": [{"holder": "3f8m2k9d", **_of_campaign}],
    "web_session": [{"sha256": "b" * 64, "key_id": "3f8m2k9d", "expires_at": BEGUN}],
    "audit": [{"key_id": "3f8m2k9d", "operation": "record_measurements", **_of_campaign, "subject": "bat_a"}],
}

RELEASED = {
    "0001": FIRST,
    "0002": FIRST | SECOND,
    "0003": FIRST | SECOND | THIRD,
    "0004": FIRST | SECOND | THIRD | FOURTH,
    "0005": FIRST | SECOND | THIRD | FOURTH | FIFTH,
}
"""What each version of the schema is given; the newest one needs no entry, since everything else tests it."""
LATER = [("0003", "retraction"), ("0004", "prior_data"), ("0004", "prior_withdrawal")]
"""Causes of the revisions from 2 on, and the version that has them first."""


def fill(connection: Connection, version: str) -> set[str]:
    """Write the record of a version into its tables; return tables that it says nothing of."""
    metadata = MetaData()
    metadata.reflect(connection)
    record = RELEASED[version]
    for table in metadata.sorted_tables:
        for row in record.get(table.name, []):
            connection.execute(insert(table).values(row))
    later = [cause for first, cause in LATER if version >= first]
    for number, cause in enumerate(later, start=2):
        connection.execute(metadata.tables["campaign"].update().values(revision=number))
        revision = {**_of_campaign, "number": number, "cause": cause}
        connection.execute(insert(metadata.tables["revision"]).values(revision))
    connection.commit()
    return set(metadata.tables) - set(record) - {"alembic_version"}
