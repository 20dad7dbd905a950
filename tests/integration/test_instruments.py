"""Instruments as people describe them, and the calibrations that readings are under."""

import pytest
from sqlalchemy import select

from service.store.tables import MeasurementRow

DAY = "2026-03-0{}T00:00:00Z"


@pytest.fixture
def campaign(lab):
    return lab.campaign()


@pytest.fixture
def squid(api, campaign):
    """Id of an instrument."""
    return api.post(f"/v1/campaigns/{campaign}/instruments", json={"name": "squid"}).json()["id"]


def calibrate(api, instrument, begin, end=None, **said):
    window = {"valid_from": DAY.format(begin)} | ({} if end is None else {"valid_until": DAY.format(end)})
    return api.post(f"/v1/instruments/{instrument}/calibrations", json={"method": "Pd sphere"} | window | said)


def carried(lab, uids):
    """Calibration that each reading carries."""
    with lab.sessions() as session:
        query = select(MeasurementRow.uid, MeasurementRow.calibration_id).where(MeasurementRow.uid.in_(uids))
        found = dict(session.execute(query).all())
    return [found[uid] for uid in uids]


def test_an_instrument_is_registered_read_and_listed(api, campaign):
    path = f"/v1/campaigns/{campaign}/instruments"
    said = {"name": "squid", "kind": "SQUID magnetometer", "owner": "M. Curie", "notes": "room 12"}
    made = api.post(path, json=said)
    assert (made.status_code, made.json() | said) == (201, made.json())
    api.post(path, json={"name": "kerr"})
    first = api.get(f"{path}?limit=1").json()
    rest = api.get(f"{path}?after={first['next']}").json()
    assert [i["name"] for i in first["items"] + rest["items"]] == ["squid", "kerr"]
    assert api.get(f"/v1/instruments/{made.json()['id']}").json() == made.json()
    events = api.get(f"/v1/campaigns/{campaign}/events").json()["items"]
    assert [e["type"] for e in events] == ["instrument.registered"] * 2


def test_an_instrument_that_has_reported_can_be_described_once(api, lab, campaign, reading):
    api.measure(campaign, [reading(lab.film(campaign), 0)])
    path = f"/v1/campaigns/{campaign}/instruments"
    (known,) = api.get(path).json()["items"]
    assert (known["name"], known["kind"]) == ("squid", None)
    described = api.post(path, json={"name": "squid", "kind": "SQUID"})
    assert (described.status_code, described.json()["id"], described.json()["kind"]) == (200, known["id"], "SQUID")
    assert api.post(path, json={"name": "squid", "kind": "SQUID"}).status_code == 200
    refused = api.post(path, json={"name": "squid", "kind": "VSM"})
    assert (refused.status_code, known["id"] in refused.json()["detail"]) == (409, True)


def test_a_reading_carries_the_calibration_that_began_last_and_has_not_ended(api, lab, campaign, squid, reading):
    open_ended, bounded, of_property = (
        calibrate(api, squid, *window, **said).json()["id"]
        for window, said in [((2,), {}), ((4, 6), {}), ((8,), {"property": "magnetisation"})]
    )
    film = lab.film(campaign)
    times = {"a": DAY.format(1), "b": DAY.format(2), "c": DAY.format(3), "d": DAY.format(4)}
    times |= {"e": "2026-03-05T23:59:59Z", "f": DAY.format(6), "g": DAY.format(9)}
    api.measure(campaign, [reading(film, 0, uid=uid, measured_at=time) for uid, time in times.items()])
    wanted = [None, open_ended, open_ended, bounded, bounded, None, of_property]
    assert carried(lab, list(times)) == wanted
    listed = api.get(f"/v1/instruments/{squid}/calibrations").json()["items"]
    assert [c["id"] for c in listed] == [open_ended, bounded, of_property]
    assert api.get(f"/v1/calibrations/{bounded}").json() == listed[1]
    assert (listed[1]["valid_until"], listed[0]["valid_until"]) == ("2026-03-06T00:00:00.000000Z", None)


def test_all_under_a_calibration_is_retracted_by_one_call(api, lab, campaign, squid, reading):
    film = lab.film(campaign)
    path = f"/v1/campaigns/{campaign}"

    def uids():
        return "".join(sorted(row["uid"] for row in api.get(f"{path}/dataset").json()["rows"]))

    first = calibrate(api, squid, 2).json()["id"]
    api.measure(
        campaign,
        [reading(film, 0, uid=uid, measured_at=DAY.format(d)) for uid, d in zip("abc", (1, 2, 5), strict=True)],
    )
    # Registered late: what was read since then and named another one keeps that one.
    second = calibrate(api, squid, 1, 2).json()["id"]
    third = calibrate(api, squid, 4).json()["id"]
    api.measure(campaign, [reading(film, 1, uid="d", measured_at=DAY.format(5))])
    assert carried(lab, list("abcd")) == [None, first, first, third]
    made = api.post(f"{path}/retractions", json={"calibration_id": second, "reason": "wrong sphere"})
    assert (made.json()["readings"], uids()) == (1, "bcd")
    made = api.post(f"{path}/retractions", json={"calibration_id": first, "reason": "wrong sphere"})
    assert (made.json()["readings"], uids()) == (2, "d")
    api.measure(campaign, [reading(film, 2, uid="e", measured_at=DAY.format(3))])
    assert uids() == "d"


def test_a_reading_may_name_its_calibration_and_is_refused_if_it_errs(api, lab, campaign, squid, reading):
    film = lab.film(campaign)
    first, second = (calibrate(api, squid, day).json()["id"] for day in (2, 4))
    good = reading(film, 0, uid="a", measured_at=DAY.format(3), calibration_id=first)
    wrong = reading(film, 1, uid="b", measured_at=DAY.format(5), calibration_id=first)
    refused = api.measure(campaign, [good, wrong])
    (fault,) = refused.json()["errors"]
    assert (refused.status_code, fault["pointer"], fault["row"]) == (422, "/measurements/1/calibration_id", 1)
    assert second in fault["message"]
    assert api.measure(campaign, [good]).status_code == 201
    assert carried(lab, ["a"]) == [first]
    assert api.measure(campaign, [good]).json()["duplicates"] == 1
    assert api.measure(campaign, [good | {"calibration_id": second}]).status_code == 422
    elsewhere = api.measure(campaign, [good | {"uid": "c"}], instrument="kerr")
    assert (elsewhere.status_code, "but none" in elsewhere.text) == (422, True)


@pytest.mark.parametrize(
    ("begin", "end", "said"),
    [
        (4, None, "begins at 2026-03-04"),
        (5, None, "overlaps: one lasts until 2026-03-06"),
        (3, 5, "overlaps: one lasts until 2026-03-05"),
    ],
)
def test_windows_that_overlap_are_refused(api, squid, begin, end, said):
    assert calibrate(api, squid, 4, 6).status_code == 201
    refused = calibrate(api, squid, begin, end)
    assert (refused.status_code, said in refused.json()["detail"]) == (409, True), refused.text
    assert calibrate(api, squid, 6).status_code == 201
    assert calibrate(api, squid, 2, 4).status_code == 201


def test_calibrations_of_different_properties_may_overlap(api, campaign, squid, lab):
    problem = dict(api.get(f"/v1/campaigns/{campaign}").json()["problem"])
    problem["outcomes"] = [{"property": "roughness", "unit": "nm", "upper": 3.0}]
    other = lab.campaign(problem=problem)
    afm = api.post(f"/v1/campaigns/{other}/instruments", json={"name": "afm"}).json()["id"]
    assert calibrate(api, afm, 4, 6, property="roughness").status_code == 201
    assert calibrate(api, afm, 5, property="magnetisation").status_code == 201
    assert calibrate(api, afm, 5).status_code == 409


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"valid_until": DAY.format(2)}, "/valid_until"),
        ({"property": "colour"}, "/property"),
        ({"method": ""}, "/method"),
        ({"valid_from": "yesterday"}, "/valid_from"),
    ],
)
def test_a_calibration_that_cannot_be_is_refused(api, squid, said, where):
    refused = calibrate(api, squid, 2, **said)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, where)


@pytest.mark.parametrize("path", ["instruments/ins_x", "instruments/ins_x/calibrations", "calibrations/cal_x"])
def test_an_unknown_instrument_or_calibration_is_not_found(api, path):
    assert api.get(f"/v1/{path}").status_code == 404
