"""The client lets a campaign learn from others, from tables and from rows, and begins one like another."""

import pytest

from filmloop_client import Client, Conflict, Invalid, PriorRow


@pytest.fixture
def campaigns(api, lab):
    with Client(str(api.client.base_url)) as client:
        yield client.campaigns


def test_a_campaign_learns_from_others_and_from_tables(api, lab, reading, campaigns, tmp_path):
    other, here = lab.campaign(), campaigns.get(lab.campaign())
    api.measure(other, [reading(lab.film(other), k) for k in range(3)])
    taken = here.prior_data.take(other, name="spring", unfit="leave_out")
    assert (taken.rows, taken.name, taken.source["campaign_id"]) == (3, "spring", other)
    table = tmp_path / "dataset.csv"
    table.write_bytes(campaigns.get(other).exports.dataset())
    uploaded = here.prior_data.upload(table, name="exported")
    assert [r.value for r in here.prior_data.rows(uploaded.id)] == [r.value for r in here.prior_data.rows(taken.id)]
    (noted,) = [p for p in here.dataset().prior_data if p["id"] == uploaded.id]
    assert noted["rows"] == 3
    gone = here.prior_data.withdraw(taken.id, "wrong lab")
    assert (gone.state, len(here.dataset().prior_data)) == ("withdrawn", 1)
    with pytest.raises(Conflict):
        here.prior_data.withdraw(taken.id, "again")
    assert here.prior_data.reinstate(taken.id, "the right one").state == "in_force"
    assert [p.id for p in here.prior_data.list()] == [taken.id, uploaded.id]
    assert here.prior_data.get(taken.id).withdrawals[0]["reason"] == "wrong lab"


def test_rows_are_named_and_conditions_given_for_all_of_them(lab, campaigns):
    here = campaigns.get(lab.campaign())
    iron = PriorRow(composition={"Fe": 1.0}, property="M", unit="kA/m", value=4.0, process={"anneal_c": 300.0})
    with pytest.raises(Invalid) as refused:
        here.prior_data.add([iron])
    assert refused.value.errors[0]["pointer"] == "/rows/0/property"
    read = iron.model_copy(update={"property": "magnetisation"})
    assert here.prior_data.look([read, iron], unfit="leave_out").left_out == {"property": 1}
    assert here.prior_data.add([read], name="iron").rows == 1
    table = b"x_Fe,property,value [kA/m]\n0.5,M,2.0\n"
    with pytest.raises(Invalid, match="row"):
        here.prior_data.upload(table.replace(b"0.5", b"much"), "csv")
    more = table.replace(b"x_Fe,", b"x_Fe,x_Ga,").replace(b"0.5,", b"0.5,0.5,")
    done = here.prior_data.upload(more, "csv", properties={"M": "magnetisation"}, process={"anneal_c": 450.0})
    (row,) = here.prior_data.rows(done.id)
    assert (row.process, row.property) == ({"anneal_c": 450.0}, "magnetisation")
    with pytest.raises(ValueError, match="csv, ndjson, parquet"):
        here.prior_data.upload("table.xls")


def test_a_clone_begins_with_what_it_shall_learn_from(api, lab, reading, campaigns):
    first = lab.campaign()
    api.measure(first, [reading(lab.film(first), k) for k in range(2)])
    source = [{"campaign_id": first}]
    clone = campaigns.clone(first, "again", changes={"queue_depth": 2}, learn_from=source)
    assert (clone.state, clone.latest.queue_depth) == ("draft", 2)
    assert clone.latest.cloned_from == {"campaign_id": first, "config_revision": 1}
    fresh = campaigns.create("new", clone.latest.problem, learn_from=source)
    assert [p.rows for c in (clone, fresh) for p in c.prior_data.list()] == [2, 2]
