"""The client against the real service: what people do to a campaign's record, its queue and its configuration."""

from datetime import UTC, datetime

import pytest

from filmloop_client import Client, Conflict, Invalid, Reading, SampleReading, Stale

HALL = {"property": "magnetisation", "unit": "emu/cm3"}
DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROCESS = {"anneal_c": 450.0, "substrate": "Si"}


@pytest.fixture
def client(api):
    with Client(str(api.client.base_url)) as client:
        yield client


@pytest.fixture
def campaign(client, loop):
    campaign = client.campaigns.create("wafer", loop.problem(), devices=60, hours=1000.0)
    campaign.activate()
    loop.decide(campaign.id)
    return campaign


def made(campaign):
    claim = campaign.robot("ada").claim(wait_s=0)
    claim.start()
    return claim.complete()


def test_readings_are_retracted_and_restored(campaign):
    film = made(campaign)
    squid = campaign.record.register_instrument("squid", kind="SQUID magnetometer", owner="M. Curie")
    calibration = campaign.record.calibrate(squid.id, "Pd sphere", DAY.replace(hour=8))
    assert [c.id for c in campaign.record.calibrations(squid.id)] == [calibration.id]
    rows = [Reading(film_id=film.id, device=k, value=1.0 + k, measured_at=DAY, **HALL) for k in range(3)]
    ids = campaign.instrument("squid").measure(rows).measurement_ids
    wrong = campaign.record.retract("wrong sphere", calibration_id=calibration.id)
    assert (wrong.readings, wrong.state, campaign.dataset().rows) == (3, "in_force", [])
    assert [d.retracted for d in campaign.film(film.id).devices] == [1, 1, 1]
    assert campaign.record.reverse(wrong.id, "it was the right one").state == "reversed"
    with pytest.raises(Conflict, match="was reversed at revision"):
        campaign.record.reverse(wrong.id, "again")
    assert campaign.record.retract("spike", ids=ids[:1]).readings == 1
    window = {"measured_from": DAY, "measured_until": DAY.replace(hour=13)}
    assert campaign.record.retract("quench", instrument="squid", **window).readings == 3
    assert [r.state for r in campaign.record.retractions()] == ["reversed", "in_force", "in_force"]
    with pytest.raises(Invalid, match="exactly one of"):
        campaign.record.retract("everything")
    assert [i.owner for i in campaign.record.instruments()] == ["M. Curie"]


def test_a_sample_is_read(campaign):
    coupon = campaign.record.register_sample("coupon 7", "magnetisation", "kA/m", assigned_value=50.0)
    readings = [SampleReading(unit="emu/cm3", value=50.0 + k, measured_at=DAY, uid=f"c{k}") for k in range(2)]
    assert campaign.record.read_sample(coupon.id, "squid", readings).accepted == 2
    assert campaign.record.read_sample(coupon.id, "squid", readings).duplicates == 2
    assert list(campaign.record.samples()) == [coupon]


def test_a_campaign_is_changed_by_who_has_seen_it(client, campaign):
    other = client.campaigns.get(campaign.id)
    assert campaign.change(problem={"policy": {"name": "mapping"}}, budget={"films": 9}).config_revision == 2
    assert campaign.latest.budget == {"films": 9, "devices": None, "hours": None}
    with pytest.raises(Stale):
        other.change(queue_depth=3)
    other.refresh()
    assert other.change(queue_depth=3).queue_depth == 3
    (listed,) = client.campaigns.list()
    assert listed.change(lease={"ttl_s": 60}).config_revision == 4
    listed.act("drain")
    assert listed.state == "completed"


def test_people_have_a_say_in_the_queue(campaign):
    (waiting,) = campaign.proposals("ready")
    mine = campaign.propose({"Fe": 1.0}, {"Ga": 1.0}, process=PROCESS, reason="a repeat")
    assert campaign.next_proposal().id == mine.id
    assert campaign.prioritise(waiting.id).priority == 2
    assert campaign.next_proposal().id == waiting.id
    assert campaign.cancel(waiting.id).state == "cancelled"
    assert made(campaign).proposal_id == mine.id
    with pytest.raises(Conflict, match="is made"):
        campaign.resolve(mine.id, "ok", note="it was there all the time")
