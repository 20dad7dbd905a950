"""Events, model versions, health and the description of the API."""

from itertools import pairwise

from sqlalchemy import insert

from service.app import create_app
from service.settings import DatabaseSettings, Settings
from service.store.tables import ArtifactRow, ModelVersionRow
from tests.integration.conftest import serving

MAP = {
    "points": [{"Fe": 1.0, "Ga": 0.0, "Pd": 0.0}],
    "mean": [1.5],
    "sd": [0.25],
    "best": {"composition": {"Fe": 1.0, "Ga": 0.0, "Pd": 0.0}, "mean": 1.5, "sd": 0.25},
}


def add_model(lab, campaign: str, number: int, posterior=None) -> str:
    job_id = lab.proposal(campaign).replace("prp_", "job_")
    row = {
        "id": f"mdl_{campaign[4:]}_{number}",
        "campaign_id": campaign,
        "job_id": job_id,
        "artifact_sha256": f"{number:064x}",
        "kind": "surrogate",
        "name": "film_gp",
        "revision": 0,
        "snapshot_hash": "0" * 64,
        "seed": 7,
        "metrics": {"nlpd": 0.5},
        "versions": {"torch": "2"},
        "posterior": posterior,
    }
    with lab.sessions.begin() as session:
        session.execute(insert(ArtifactRow).values(sha256=row["artifact_sha256"], size=2**33))
        session.execute(insert(ModelVersionRow).values(row))
    return row["id"]


def test_events_are_read_page_by_page(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    for k in range(3):
        api.measure(campaign, [reading(film, k)])
    seen, after = [], 0
    while True:
        page = api.get(f"/v1/campaigns/{campaign}/events?after={after}&limit=2").json()
        if not page["items"]:
            break
        seen += page["items"]
        after = page["next"]
    assert page["next"] == after
    assert [e["data"]["revision"] for e in seen] == [1, 2, 3]
    assert all(a["seq"] < b["seq"] for a, b in pairwise(seen))
    assert {e["type"] for e in seen} == {"batch.recorded"}
    assert all(e["at"].endswith("Z") for e in seen)


def test_another_campaigns_events_are_its_own(api, lab, reading):
    campaign, other = lab.campaign(), lab.campaign()
    api.measure(campaign, [reading(lab.film(campaign), 0)])
    assert api.get(f"/v1/campaigns/{other}/events").json() == {"items": [], "next": 0}


def test_model_versions_are_read_with_their_lineage(api, lab):
    campaign = lab.campaign()
    ids = [add_model(lab, campaign, k, MAP if k == 0 else None) for k in range(3)]
    first = api.get(f"/v1/campaigns/{campaign}/model-versions?limit=2").json()
    rest = api.get(f"/v1/campaigns/{campaign}/model-versions?limit=2&after={first['next']}").json()
    assert [m["id"] for m in first["items"] + rest["items"]] == ids
    assert rest["next"] is None
    one = api.get(f"/v1/model-versions/{ids[0]}").json()
    assert one == first["items"][0]
    assert one["artifact"] == {"sha256": "0" * 64, "bytes": 2**33}
    assert (one["seed"], one["metrics"], one["versions"]) == (7, {"nlpd": 0.5}, {"torch": "2"})
    assert api.get(f"/v1/model-versions/{ids[0]}/posterior").json() == MAP


def test_a_model_or_map_that_is_not_there_is_not_found(api, lab):
    without_map = add_model(lab, lab.campaign(), 0)
    for path in ("mdl_nowhere", "mdl_nowhere/posterior", f"{without_map}/posterior"):
        response = api.get(f"/v1/model-versions/{path}")
        assert response.status_code == 404
        assert path.split("/")[0] in response.json()["detail"]


def test_alive_and_ready(api):
    assert api.get("/healthz").json() == {"status": "alive"}
    ready = api.get("/readyz")
    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "degraded", "database": "ok", "schema": "ok", "broker": "not set"},
    )


def test_not_ready_on_another_schema(empty_database_url):
    with serving(create_app(Settings(database=DatabaseSettings(url=empty_database_url)))) as client:
        ready = client.get("/readyz")
        assert client.get("/healthz").status_code == 200
    assert ready.status_code == 503
    assert (ready.json()["status"], ready.json()["database"]) == ("unavailable", "ok")
    assert "empty" in ready.json()["schema"]


def test_without_the_database_everything_says_so_and_the_process_lives(tmp_path):
    url = f"postgresql+psycopg://nobody@/nothing?host={tmp_path}"
    with serving(create_app(Settings(database=DatabaseSettings(url=url)))) as client:
        assert client.get("/healthz").status_code == 200
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["database"]) == (503, "unreachable")
        response = client.get("/v1/campaigns/cmp_x/events")
        assert response.status_code == 503
        assert response.json()["type"] == "urn:filmloop:problem:unavailable"
        assert int(response.headers["retry-after"]) > 0
        assert str(tmp_path) not in response.text


def test_the_api_describes_itself():
    described = create_app(Settings()).openapi()
    operations = [o for path in described["paths"].values() for o in path.values()]
    ids = [o["operationId"] for o in operations]
    assert len(set(ids)) == len(ids) > 15
    assert {tag for o in operations for tag in o["tags"]} == {"instrument", "robot", "researcher", "operator"}
    assert all(o.get("description") for o in operations)
    assert "ProblemRead" in described["components"]["schemas"]
    assert "HTTPValidationError" not in described["components"]["schemas"]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            keys = [p["required"] for p in operation.get("parameters", []) if p["name"] == "Idempotency-Key"]
            changes = method in {"post", "patch"} and not path.endswith(("/predictions", "/session"))
            assert keys == ([True] if changes else [])
            if operation.get("parameters"):
                assert "application/problem+json" in operation["responses"]["422"]["content"]
