"""The pages that draw show what the record and the API say, on the wafer of the demo and with two objectives."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree as ET

import httpx
import numpy as np
import pytest

from service.simulation.campaign import fe_ga_pd_problem
from service.simulation.wafer import Wafer
from service.store import charts, jobs
from tests.integration.conftest import reading
from workers.decide import run

SVG = "{http://www.w3.org/2000/svg}"
WAFER = Wafer.load()
ON_WAFER = fe_ga_pd_problem(WAFER, devices=5).model_dump(mode="json") | {
    "policy": {"name": "expected_improvement", "mc_samples": 16, "raw_films": 16, "restarts": 1}
}
TWO = {
    "space": {"elements": ["Fe", "Ga", "Pd", "Pt"]},
    "objectives": [
        {"property": "magnetisation", "unit": "V"},
        {"property": "coercivity", "unit": "Oe", "direction": "minimise"},
    ],
    "film": {"devices": 3, "length_mm": 50.0},
    "policy": {"name": "hypervolume_improvement", "mc_samples": 16, "raw_films": 16, "restarts": 1},
}


def wafer_truth(x):
    return {"magnetisation": ("V", float(WAFER.truth(np.array([[x["Fe"], x["Ga"], x["Pd"]]]))[0]))}


def trade_truth(x):
    return {
        "magnetisation": ("V", 10.0 * x["Fe"] + x["Pt"]),
        "coercivity": ("Oe", 50.0 - 30.0 * x["Ga"] + 5.0 * x["Fe"]),
    }


class Campaign:
    """A campaign that is worked off by hand."""

    def __init__(self, api, sessions, settings, problem, truth):
        self.api, self.sessions, self.settings, self.truth = api, sessions, settings, truth
        created = api.post("/v1/campaigns", json={"name": "drawn", "problem": problem})
        assert created.status_code == 201, created.text
        self.id = created.json()["id"]
        self.films = []
        assert api.post(f"/v1/campaigns/{self.id}/actions", json={"action": "activate"}).status_code == 200

    def decide(self):
        with self.sessions() as session:
            (job,) = [j.id for j in jobs.live(session, self.id) if j.state == "pending" and j.kind == "decide"]
        assert run(self.sessions, self.settings, job, worker="worker")

    def make(self, *, dead=()):
        taken = self.api.post(f"/v1/campaigns/{self.id}/claims", json={"robot": "ada"}).json()
        token, lease = {"Lease-Token": taken["lease"]["token"]}, taken["lease"]["id"]
        film = self.api.post(f"/v1/leases/{lease}/start", headers=token).json()["film_id"]
        made = [shifted(d["composition"]) for d in taken["proposal"]["film"]["devices"]]
        done = {"outcome": "ok", "compositions": made}
        assert self.api.post(f"/v1/leases/{lease}/complete", json=done, headers=token).status_code == 200
        rows = []
        for k, x in enumerate(made):
            for name, (unit, value) in self.truth(x).items():
                said = {"value": None, "status": "dead", "std_uncertainty": ...} if k in dead else {"value": value}
                rows.append(reading(film, k, property=name, unit=unit, **said))
        assert self.api.measure(self.id, rows).status_code == 201
        self.films.append(film)
        return taken["proposal"]

    def get(self, path):
        answer = self.api.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


def shifted(x):
    """As made: a tenth of a percent of what there is most went to the next."""
    most, other = sorted(x, key=x.get)[:-3:-1]
    return x | {most: x[most] - 0.001, other: x[other] + 0.001}


class Page(HTMLParser):
    """A page as its drawings, tables and text; refuses what the Content-Security-Policy would."""

    def __init__(self, answer):
        super().__init__()
        assert answer.status_code == 200, answer.text
        assert "text/html" in answer.headers["content-type"]
        self.html = answer.text
        self.rows, self._row, self._cell = [], None, None
        self.feed(self.html)
        self.drawings = [ET.fromstring(svg) for svg in re.findall(r'<svg xmlns="http.*?</svg>', self.html, re.S)]  # noqa: S314

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        assert "style" not in given
        assert not any(name.startswith("on") for name in given)
        if tag == "script":
            assert "src" in given or given.get("type") == "application/json"
        if tag == "tr":
            self._row = []
        elif tag in {"td", "th"} and self._row is not None:
            self._cell = ""

    def handle_data(self, data):
        if self._cell is not None:
            self._cell += data

    def handle_endtag(self, tag):
        if tag in {"td", "th"} and self._cell is not None:
            self._row.append(self._cell.strip())
            self._cell = None
        elif tag == "tr" and self._row is not None:
            self.rows.append(self._row)
            self._row = None

    def drawing(self, kind):
        (found,) = [d for d in self.drawings if kind in (d.get("class") or "").split()]
        return found

    def marks(self, kind, root=None):
        """Elements of a class, wherever they are drawn."""
        roots = self.drawings if root is None else [root]
        return [e for r in roots for e in r.iter() if kind in (e.get("class") or "").split()]


@pytest.fixture
def look(api):
    """Pages as a browser asks for them."""

    def seen(path, language="en"):
        headers = {"Accept": "text/html", "Accept-Language": language}
        return Page(api.get(path, headers=headers))

    return seen


def titles(drawing):
    """What the marks of a drawing say of themselves, by mark."""
    return [(m, m.find(f"{SVG}title").text) for m in drawing.iter() if m.get("class") == "mark"]


def numbers(text):
    return [float(n.replace("\u2212", "-")) for n in re.findall(r"[\u2212-]?\d+(?:\.\d+)?", text)]


def test_a_campaign_on_the_wafer_is_drawn_as_it_is(api, sessions, settings, look):
    campaign = Campaign(api, sessions, settings, ON_WAFER, wafer_truth)
    empty = look(f"/campaigns/{campaign.id}/space/triangle")
    assert empty.marks("filled") == []
    assert look(f"/campaigns/{campaign.id}/model").drawings == []
    for dead in ((), (1,)):
        campaign.decide()
        campaign.make(dead=dead)
    campaign.decide()
    proposal = campaign.make()
    campaign.decide()
    assert proposal["source"] == "model"

    check_triangle(campaign, look)
    check_progress(campaign, look)
    check_film(campaign, look, proposal)
    check_model(campaign, look)
    check_retraction(campaign, look)
    for path in ("space", "space/triangle", "model", ""):
        assert re.search(r"[\u3040-\u30ff]", look(f"/campaigns/{campaign.id}/{path}".rstrip("/"), "ja").html)
    assert look(f"/campaigns/{campaign.id}/pareto").drawings == []


def check_triangle(campaign, look):
    assert f"/campaigns/{campaign.id}/space/triangle?" in look(f"/campaigns/{campaign.id}/space").html
    page = look(f"/campaigns/{campaign.id}/space/triangle")
    drawing = page.drawing("ternary")
    devices = [d for f in campaign.films for d in campaign.get(f"/v1/films/{f}")["devices"] if not d["dead"]]
    circles = [(m, said) for m, said in titles(drawing) if "device" in said and m.tag == f"{SVG}a"]
    assert len(circles) == len(devices) == 14
    # By hand: corners on the paper from the frame, places from fractions as weights of the corners.
    (rim,) = page.marks("frame", drawing)
    corners = np.array(re.findall(r"[\d.]+", rim.get("d")), dtype=float).reshape(3, 2)
    ticks = np.array([[0.4, 0.0, 0.0]])  # the wafer has 42 % Fe or more: its corner of the diagram begins at 40 %
    for d in devices:
        x = np.array([[d["as_made"][e] for e in ("Fe", "Ga", "Pd")]])
        (place,) = ((x - ticks) / 0.6) @ corners
        near = [
            said
            for m, said in circles
            for c in m.iter(f"{SVG}circle")
            if np.hypot(float(c.get("cx")) - place[0], float(c.get("cy")) - place[1]) < 0.02
        ]
        value = wafer_truth(d["as_made"])["magnetisation"][1]
        assert any(numbers(said.split("\n")[2])[0] == pytest.approx(value, rel=1e-3, abs=1e-3) for said in near)
    assert len(page.marks("filled", drawing)) > 4
    assert len(page.marks("best", drawing)) == 2  # in the map and in the legend
    expected = campaign.api.post(
        f"/v1/campaigns/{campaign.id}/predictions", json={"compositions": [{"Fe": 0.7, "Ga": 0.2, "Pd": 0.1}]}
    ).json()["properties"][0]
    (said,) = [t for _, t in titles(drawing) if t.startswith("Fe 70.0 · Ga 20.0 · Pd 10.0")]
    mean, sd = numbers(said.split("\n")[1])
    assert mean == pytest.approx(expected["mean"][0], abs=0.5 * 10 ** -decimals(said))
    assert sd == pytest.approx(expected["latent_sd"][0], abs=0.5 * 10 ** -decimals(said))
    for shown in ("sd", "improvement", "noise"):
        assert look(f"/campaigns/{campaign.id}/space/triangle?show={shown}").marks("filled")


def decimals(said):
    return len(re.findall(r"\.(\d+) ±", said)[0])


def check_progress(campaign, look):
    page = look(f"/campaigns/{campaign.id}")
    drawing = page.drawing("progress")
    best = [max(wafer_truth(d["as_made"])["magnetisation"][1] for d in living(campaign, f)) for f in campaign.films]
    rings = [m for m, _ in titles(drawing) if m.get("href") in {f"/films/{f}" for f in campaign.films}]
    assert [m.get("href") for m in rings] == [f"/films/{f}" for f in campaign.films]
    heights = [float(m.find(f"{SVG}circle").get("cy")) for m in rings]
    for (v1, h1), (v2, h2) in pairwise(zip(best, heights, strict=True)):
        assert (v2 - v1) * (h2 - h1) <= 0.0  # higher values are higher on the paper
    rows = [r for r in page.rows if len(r) == 3 and r[0] in {"1", "2", "3"}]
    assert [numbers(r[2])[0] for r in rows] == pytest.approx(best, rel=1e-3)
    history = campaign.get(f"/v1/campaigns/{campaign.id}/stop-advice")["history"]
    last = [h for h in history if h["films"] == 3][-1]
    assert numbers(rows[-1][1])[0] == pytest.approx(last["best_mean"], abs=0.06)


def check_retraction(campaign, look):
    """What was kept of earlier revisions does not outlive a retraction; its reversal brings it back."""
    before = {m.get("href") for m, _ in titles(look(f"/campaigns/{campaign.id}").drawing("progress"))}
    body = {"film_id": campaign.films[0], "reason": "wrong target"}
    taken = campaign.api.post(f"/v1/campaigns/{campaign.id}/retractions", json=body)
    assert taken.status_code == 201, taken.text
    after = {m.get("href") for m, _ in titles(look(f"/campaigns/{campaign.id}").drawing("progress"))}
    assert before - after == {f"/films/{campaign.films[0]}"}
    shown = titles(look(f"/campaigns/{campaign.id}/space/triangle").drawing("ternary"))
    assert not any(m.get("href") == f"/films/{campaign.films[0]}" for m, _ in shown)
    back = campaign.api.post(f"/v1/retractions/{taken.json()['id']}/reversal", json={"reason": "it was right"})
    assert back.status_code < 300, back.text
    assert before == {m.get("href") for m, _ in titles(look(f"/campaigns/{campaign.id}").drawing("progress"))}


def living(campaign, film):
    return [d for d in campaign.get(f"/v1/films/{film}")["devices"] if not d["dead"]]


def check_film(campaign, look, proposal):
    page = look(f"/films/{campaign.films[-1]}")
    predicted = [d["predicted"] for d in proposal["film"]["devices"]]
    rows = [r for r in page.rows if len(r) == 4 and r[0] in {str(k) for k in range(1, 6)} and "±" in r[1]]
    assert len(rows) == 5
    for row, p in zip(rows, predicted, strict=True):
        assert numbers(row[1])[0] == pytest.approx(p["mean"], abs=0.6 * p["sd"] / 10)
    layers = page.marks("layer", page.drawing("wedge-chart"))
    assert len(layers) == 3
    assert campaign.api.post(f"/v1/proposals/{proposal['id']}/replays").status_code == 202
    waiting = look(f"/films/{campaign.films[-1]}/replays")
    assert "every 2s" in waiting.html
    with_dead = look(f"/films/{campaign.films[1]}")
    assert len([1 for _, said in titles(with_dead.drawing("wedge-chart")) if "dead" in said]) == 1
    pairs = {"–".join(p["pair"]) for p in proposal["pairs"]}
    assert pairs <= {r[0] for r in page.rows}


def check_model(campaign, look):
    version = campaign.get(f"/v1/campaigns/{campaign.id}/model-versions")["items"][-1]
    report = version["metrics"]["objectives"][0]
    page = look(f"/campaigns/{campaign.id}/model")
    shown = [
        [numbers(c)[0] for c in r]
        for r in page.rows
        if len(r) == 2 and all(c.endswith(" %") and "–" not in c for c in r)
    ]
    np.testing.assert_allclose(shown, 100.0 * np.array(report["leave_film_out"]["reliability"]), atol=0.06)
    hrefs = [m.get("href") for d in page.drawings for m, said in titles(d) if "Predicted" in said]
    assert {h: hrefs.count(h) for h in set(hrefs)} == {
        f"/films/{f}": n for f, n in zip(campaign.films, (5, 4, 5), strict=True)
    }
    same = look(f"/models/{version['id']}")
    assert len(same.drawings) == len(page.drawings) >= 4
    assert version["snapshot_hash"] in page.html


def test_two_objectives_are_drawn_against_each_other(api, sessions, settings, look):
    campaign = Campaign(api, sessions, settings, TWO, trade_truth)
    campaign.decide()
    campaign.make()
    waiting = look(f"/campaigns/{campaign.id}/pareto")  # read, but no model has spoken yet
    assert waiting.marks("front") == []
    assert len(titles(waiting.drawing("pareto"))) == 3
    campaign.decide()
    campaign.make()
    campaign.decide()
    told = campaign.get(f"/v1/campaigns/{campaign.id}/pareto")
    page = look(f"/campaigns/{campaign.id}/pareto")
    drawing = page.drawing("pareto")
    rings = [(m, said) for m, said in titles(drawing) if page.marks("front", m)]
    assert len(rings) == len(told["points"])
    for p in told["points"]:
        wanted = [v["mean"] for v in p["values"][:2]]
        assert any(
            [numbers(line.split(" ", 1)[1])[0] for line in said.split("\n")[1:3]] == pytest.approx(wanted, abs=0.6)
            for _, said in rings
        )
    assert len([1 for _, said in titles(drawing) if said.startswith("Film")]) == 6
    turned = look(f"/campaigns/{campaign.id}/pareto?x=coercivity&y=magnetisation").drawing("pareto")
    names = [e.text for e in turned.iter(f"{SVG}text") if e.get("class") == "axis-name"]
    assert names == ["coercivity, the less the better (Oe)", "magnetisation, the more the better (V)"]

    section = look(f"/campaigns/{campaign.id}/space/triangle?e=Fe&e=Ga&e=Pt&h=Pd:10&of=coercivity")
    frame = "".join(section.drawing("ternary").itertext())
    assert all(f"{e} (at.%)" in frame for e in ("Fe", "Ga", "Pt"))
    assert "Pd 10.0 at.%" in frame
    assert "space/elements?" in look(f"/campaigns/{campaign.id}/space?e=Fe&e=Ga&e=Pt&h=Pd:10").html
    side_by_side = look(f"/campaigns/{campaign.id}/space/elements")
    strands = side_by_side.marks("strand")
    assert len(strands) == 6
    assert all(len(re.findall(r"L", s.get("d"))) == 4 for s in strands)  # four elements and the property
    assert len(re.findall(r'<th scope="row"><a href="/films/', side_by_side.html)) == 6  # the same as a table
    assert "No composition" in look(f"/campaigns/{campaign.id}/space/triangle?h=Pt:100&h=Pd:100").html
    film = look(f"/films/{campaign.films[0]}")
    assert "Position along the film (mm)" in film.html


def test_curves_of_a_film_are_drawn_thinned(api, sessions, settings, look):
    campaign = Campaign(api, sessions, settings, ON_WAFER, wafer_truth)
    campaign.decide()
    campaign.make()
    (film,) = campaign.films
    angle = np.linspace(20.0, 80.0, 20_000)
    counts = 5.0 + 1000.0 * np.exp(-(((angle - 44.7) / 0.01) ** 2))
    attachment = {
        "film_id": film,
        "kind": "diffraction_pattern",
        "label": "theta-2theta",
        "unit": "counts",
        "axes": [{"name": "2theta", "unit": "deg", "values": angle.tolist()}],
        "data": {"values": counts.tolist()},
        "measured_at": "2026-03-01T12:00:00Z",
    }
    peak = f"{counts.max():.0f}"
    for device in (0, 3):
        sent = {"instrument": "xrd", "attachments": [attachment | {"device": device}]}
        assert api.post(f"/v1/campaigns/{campaign.id}/attachments", json=sent).status_code == 201
    assert f"/films/{film}/spectra" in look(f"/films/{film}").html
    curves = look(f"/films/{film}/spectra")
    told = ["20000", "20.00 – 80.00", f"{peak} at 44.70", "5.000 at 20.00"]
    assert curves.rows[1:] == [["Device 1", *told], ["Device 4", *told]]
    lines = curves.marks("spectrum")
    assert len(lines) == 2
    for line in lines:
        down = np.array(re.findall(r"[\d.]+", line.get("d")), dtype=float)[1::2]
        assert len(down) <= 900
        assert np.ptp(down) > 150.0  # the peak, narrower than a pixel, is there


@pytest.mark.parametrize(
    "path", ["/films/flm_none", "/models/mdl_none", "/campaigns/cmp_none/space", "/campaigns/cmp_none/pareto"]
)
def test_what_is_not_there_is_a_page_that_says_so(api, path):
    answer: httpx.Response = api.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "text/html" in answer.headers["content-type"]


def test_the_extremes_of_very_many_devices_are_kept(api, sessions, settings):
    campaign = Campaign(api, sessions, settings, ON_WAFER, wafer_truth)
    values = []
    for _ in range(3):
        campaign.decide()
        campaign.make()
        values += [wafer_truth(d["as_made"])["magnetisation"][1] for d in living(campaign, campaign.films[-1])]
    with sessions() as session:
        found, of = charts.device_values(session, campaign.id, "magnetisation", 8)
        both, of_both = charts.device_pairs(session, campaign.id, ("magnetisation", "magnetisation"), 8)
    kept = [f.value for f in found]
    assert of == of_both == 15
    assert 5 <= len(kept) <= 8  # the four extremes, and some of those between
    assert 3 <= len(both) <= 8  # of one property twice there are two extremes
    assert sorted(kept)[-2:] == pytest.approx(sorted(values)[-2:])
    assert sorted(kept)[:2] == pytest.approx(sorted(values)[:2])
    assert {min(values), max(values)} <= {pair.first for pair in both}


def test_of_a_device_that_was_read_very_often_the_extremes_are_shown(api, sessions, settings, look):
    campaign = Campaign(api, sessions, settings, ON_WAFER, wafer_truth)
    campaign.decide()
    campaign.make()
    (film,) = campaign.films
    values = np.random.default_rng(0).normal(5.0, 0.2, 90)
    rows = [reading(film, 2, property="magnetisation", unit="V", value=float(v)) for v in values]
    assert campaign.api.measure(campaign.id, rows).status_code == 201
    with sessions() as session:
        found = [r.value for r in charts.film_readings(session, film, 20) if r.device == 2]
        others = [r for r in charts.film_readings(session, film, 20) if r.device != 2]
    assert 10 <= len(found) <= 20
    assert len(others) == 4
    assert {values.min(), values.max()} <= {
        *found,
        wafer_truth(living(campaign, film)[2]["as_made"])["magnetisation"][1],
    }
    assert "of 95 readings" in look(f"/films/{film}").html
