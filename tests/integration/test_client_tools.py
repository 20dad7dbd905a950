"""What the client does for a robot, an instrument and a notebook, against the real API."""

import asyncio
import itertools
import json
import subprocess
import sys
import threading

import pandas as pd
import pytest

from benchmarks.keys import KEY
from filmloop_client import Client, FilmloopError, Infeasible, Reading, aio, frames
from filmloop_client.agents import FilmAgent, FilmOptimizer
from filmloop_client.mapping import Mapping
from filmloop_client.offline import Sender
from filmloop_client.spool import Lane, Spool
from filmloop_client.watcher import Watcher
from service.store.tables import LeaseRow

UNIT = {"property": "magnetisation", "unit": "emu/cm3"}


@pytest.fixture
def client(api):
    with Client(str(api.client.base_url), key=KEY) as opened:
        yield opened


@pytest.fixture
def offered(loop, client):
    """A campaign whose next three films are decided."""
    campaign = loop.campaign(queue_depth=3)
    loop.decide(campaign)
    return client.campaigns.get(campaign)


@pytest.fixture
def film(loop, client):
    """A campaign and a film of it that was made."""
    campaign_id, film_id = loop.made()
    return client.campaigns.get(campaign_id), film_id


def read(film_id, device, value, **more):
    return Reading(film_id=film_id, device=device, value=value, **(UNIT | more))


def test_a_refused_reading_is_set_aside_and_holds_up_nobody(film, client, tmp_path):
    campaign, film_id = film
    with client.offline_instrument(campaign.id, "squid", tmp_path) as squid:
        squid.put([read(film_id, 0, 1.0), read("flm_none", 0, 2.0), read(film_id, 1, 3.0)])
        squid.put([read(film_id, 2, 4.0)])
        assert squid.flush(30)
        assert sorted(row.value for row in campaign.dataset().rows) == [1.0, 3.0, 4.0]
        (aside,) = squid.aside()
        assert aside.row["value"] == 2.0
        assert "flm_none" in aside.reason
        assert squid.try_again() == 1
        assert squid.flush(30)
        assert [again.row["value"] for again in squid.aside()] == [2.0]


def test_readings_wait_for_a_campaign_that_is_a_draft_and_others_overtake_them(film, client, lab, tmp_path):
    campaign, film_id = film
    draft = lab.campaign(state="draft")
    spool = Spool(tmp_path)
    spool.put(Lane(draft, "squid"), [{"film_id": film_id, "device": 0, "value": 1.0}])
    spool.put(Lane(campaign.id, "squid"), [json.loads(read(film_id, 0, 5.0).model_dump_json(exclude_none=True))])
    sender = Sender(client.transport, spool)
    assert sender.send() == 1
    assert "draft" in sender.trouble
    assert (spool.waiting(), spool.aside()) == (1, [])
    assert [row.value for row in campaign.dataset().rows] == [5.0]


def test_a_parcel_sent_again_after_a_crash_is_the_same_and_stored_once(film, client, tmp_path):
    campaign, film_id = film
    rows = [json.loads(read(film_id, k % 3, float(k)).model_dump_json(exclude_none=True)) for k in range(1200)]
    put = "\n".join(
        [
            "import json, os, sys",
            "from filmloop_client.spool import Lane, Spool",
            "Spool(sys.argv[1]).put(Lane(*sys.argv[2:]), json.load(sys.stdin))",
            "os._exit(9)",
        ]
    )
    died = subprocess.run(
        [sys.executable, "-c", put, str(tmp_path), campaign.id, "squid"], input=json.dumps(rows).encode(), check=False
    )
    assert died.returncode == 9
    spool = Spool(tmp_path)
    first = spool.next_parcel()
    assert len(first.rows) == 1000
    assert Spool(tmp_path).next_parcel() == first
    # It was stored, and the sender died before it could say so.
    Sender(client.transport, spool)._offer(first)
    assert Sender(client.transport, spool).send() == 1200
    assert spool.waiting() == 0
    found = sorted(row.value for row in campaign.dataset().rows)
    assert found == [float(k) for k in range(1200)]


def test_one_process_sends_at_a_time(client, tmp_path):
    spool = Spool(tmp_path)
    spool.put(Lane("cmp_none", "squid"), [{"value": 1.0}])
    with Spool(tmp_path).sending() as ours:
        assert ours
        assert Sender(client.transport, spool).send() == 0
        assert spool.waiting() == 1
    with spool.sending() as ours:
        assert ours


def test_a_robot_runs_until_it_is_told_to_stop_and_reports_what_is_infeasible(offered):
    robot = offered.robot("sputter-1")
    numbers = itertools.count(1)

    def make(claim):
        if next(numbers) == 1:
            raise Infeasible("delaminates")
        robot.stop()
        return [device.composition for device in claim.film.devices]

    assert robot.run(make) == 1
    assert [(f.state, f.outcome) for f in offered.films()] == [("failed", "infeasible"), ("made", "ok")]


def test_a_robot_waits_while_the_campaign_is_paused_and_ends_with_it(offered, monkeypatch):
    monkeypatch.setattr("filmloop_client.robot._LOOK_S", 0.05)
    robot, asked = offered.robot("sputter-1"), threading.Event()
    offered.act("pause")
    claim = robot.claim

    def asking(wait_s):
        asked.set()
        return claim(wait_s)

    monkeypatch.setattr(robot, "claim", asking)
    running = threading.Thread(target=robot.run, args=(lambda _claim: None,))
    running.start()
    assert asked.wait(30)
    assert running.is_alive()
    offered.act("complete")
    running.join(30)
    assert not running.is_alive()
    assert list(offered.films()) == []


def test_what_stops_a_robot_is_reported_and_raised(offered):
    def make(claim):
        raise OSError("pump off")

    with pytest.raises(OSError, match="pump off"):
        offered.robot("sputter-1").run(make)
    (film,) = offered.films()
    assert (film.state, film.outcome, film.model_extra["note"]) == ("failed", "equipment", "OSError: pump off")


def test_an_emergency_stop_gives_the_film_up_while_it_is_made(offered):
    robot = offered.robot("sputter-1")
    begun = threading.Event()

    def make(claim):
        begun.set()
        assert robot.stopped.wait(30)

    running = threading.Thread(target=robot.run, args=(make,))
    running.start()
    assert begun.wait(30)
    robot.emergency_stop("door open")
    running.join(30)
    (film,) = offered.films()
    assert (film.state, film.outcome, film.model_extra["note"]) == ("failed", "operator", "emergency stop: door open")


def test_a_lease_is_renewed_while_it_is_kept_and_its_loss_is_told(loop, offered):
    claim = offered.robot("sputter-1").claim(0)
    loop.let_pass(LeaseRow, claim.lease.id, "expires_at")
    claim.lease = claim.lease.model_copy(update={"expires_at": claim.lease.expires_at.replace(year=2020)})
    with claim.kept() as keeping:
        assert keeping.lost.wait(30)
    assert claim.lease.id in keeping.reason or "over" in keeping.reason


def test_events_are_followed_as_they_happen(film, client):
    campaign, film_id = film
    known = [event.seq for event in campaign.events()]
    heard = campaign.follow(after=known[0])
    assert [next(heard).seq for _ in known[1:]] == known[1:]
    campaign.instrument("squid").measure([read(film_id, 0, 1.0)])
    assert next(heard).type == "batch.recorded"
    heard.close()


def test_frames_go_in_and_out(film):
    campaign, film_id = film
    table = pd.DataFrame(
        {
            "film_id": [film_id] * 3,
            "device": [0.0, 1.0, 2.0],
            "value": [1.5, None, 2.5],
            "std_uncertainty": [0.1, None, None],
            "status": [None, "dead", None],
        }
    )
    campaign.instrument("squid").measure(frames.readings(table, **UNIT))
    found = frames.dataset(campaign.dataset()).sort_values("device", ignore_index=True)
    assert found["value"].tolist()[0] == 1.5
    assert found["status"].tolist() == ["ok", "dead", "ok"]
    assert found[["x_Fe", "x_Ga", "x_Pd"]].sum(axis=1).tolist() == pytest.approx([1.0] * 3)
    assert set(found["process_substrate"]) <= {"Si", "glass"}
    devices = frames.films(campaign.films())
    assert devices["readings"].tolist() == [1, 0, 1]  # a dead device was not read
    assert len(frames.proposals(campaign.proposals())) == 1
    with pytest.raises(ValueError, match="row 0 is no reading"):
        frames.readings(table.drop(columns="value"), **UNIT)
    back = frames.compositions(found, ["Fe", "Ga", "Pd"])
    assert back[1] == pytest.approx(campaign.film(film_id).devices[1].composition)


def test_an_agent_is_asked_and_told(offered):
    agent = FilmAgent(offered, "bluesky", wait_s=0)
    assert agent.report() == {}
    doc, films = agent.ask(2)
    assert [len(values) for values in doc.values()] == [2] * len(doc)
    assert [len(film) for film in films] == [3, 3]
    assert {film.state for film in agent.held()} == {"running"}
    told = agent.tell({"film_id": doc["film_id"][0], "compositions": films[0]}, [1.0, None, 3.0], sd=0.1)
    assert told["accepted"] == [3]
    FilmAgent(offered, "bluesky").tell_many(doc["film_id"][1:], [[4.0, 5.0, 6.0]])  # as after a restart
    assert {film.state for film in offered.films()} == {"measured"}
    rows = {(r.film_id, r.device): (r.status, r.value, r.std_uncertainty) for r in offered.dataset().rows}
    assert rows[doc["film_id"][0], 1] == ("dead", None, None)
    assert rows[doc["film_id"][0], 2] == ("ok", 3.0, 0.1)
    assert rows[doc["film_id"][1], 0] == ("ok", 4.0, None)
    with pytest.raises(FilmloopError, match="no property"):
        agent.tell(doc["film_id"][0], {"hardness": [1.0]})


def test_an_optimizer_suggests_and_takes_in(offered):
    optimizer = FilmOptimizer(offered, wait_s=0)
    assert optimizer.get_best_points() == []
    first, second = optimizer.suggest(2)
    assert [len(first[element]) for element in ("Fe", "Ga", "Pd")] == [3, 3, 3]
    optimizer.register_failures([second])
    optimizer.register_failures([second])  # once is enough
    optimizer.ingest([first | {"magnetisation": [1.0, float("nan"), 3.0]}])
    (film,) = [film for film in offered.films() if film.id == first["_id"]]
    assert [device.composition["Fe"] for device in film.devices] == pytest.approx(first["Fe"])
    assert {(row.device, row.status, row.value) for row in offered.dataset().rows} == {
        (0, "ok", 1.0),
        (1, "dead", None),
        (2, "ok", 3.0),
    }
    assert offered.film(second["_id"]).state == "failed"
    (third,) = optimizer.suggest()
    optimizer.ingest([{"_id": third["_id"], "magnetisation": [4.0, 5.0, 6.0]}])
    assert len(offered.dataset().rows) == 6
    assert optimizer.should_stop()[0] is False


def test_a_folder_is_watched_and_what_is_refused_is_set_aside(film, client, tmp_path):
    campaign, film_id = film
    mapping = Mapping.model_validate(
        {
            "instrument": "squid",
            "film": {"column": "film"},
            "device": {"column": "spot"},
            "properties": [{"value": "m"} | UNIT],
        }
    )
    (tmp_path / "a.csv").write_text(f"film,spot,m\n{film_id},0,1.5\n{film_id},7,2.5\n")
    for _ in range(2):  # the second time as after a restart
        with client.offline_instrument(campaign.id, "squid", tmp_path / ".filmloop") as squid:
            Watcher(tmp_path, mapping, squid.spool, campaign.id).look(settled=True)
            assert squid.flush(30)
            assert [row.value for row in campaign.dataset().rows] == [1.5]
            (aside,) = squid.aside()
            assert "7" in aside.reason


def test_the_loop_awaited(api, loop):
    campaign_id = loop.campaign(queue_depth=2)
    loop.decide(campaign_id)

    async def work():
        async with aio.AsyncClient(str(api.client.base_url), key=KEY) as client:
            campaign = await client.campaigns.get(campaign_id)
            robot = campaign.robot("sputter-1")

            async def make(claim):
                await asyncio.sleep(0)
                return [device.composition for device in claim.film.devices]

            assert await robot.run(make, films=2) == 2
            films = [film async for film in campaign.films()]
            squid = campaign.instrument("squid")
            await asyncio.gather(*(squid.measure([read(film.id, k, 1.0 + k)]) for film in films for k in range(3)))
            async for event in campaign.follow(after=0):
                if event.type == "batch.recorded":
                    break
            return await campaign.dataset()

    assert len(asyncio.run(work()).rows) == 6


@pytest.mark.parametrize(
    "handle", [v for v in vars(aio).values() if isinstance(v, type) and aio.Awaited in v.__bases__]
)
def test_everything_can_be_awaited(handle):
    (base,) = handle.__orig_bases__
    (sync,) = base.__args__
    calls = {name for name, what in vars(sync).items() if callable(what) and not name.startswith("_")}
    plain = {"kept", "stop"}  # they ask nobody
    assert calls - plain <= set(vars(handle)), calls - set(vars(handle))
