"""Connections to the database: they tell no secrets and wait for nothing for ever."""

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from service.operations.claims import claim
from service.store.tables import LeaseRow

_PID = text("select pg_backend_pid()")


def test_an_error_does_not_show_what_was_to_be_stored(loop):
    campaign = loop.campaign()
    loop.decide(campaign)
    with loop.sessions.begin() as session:
        lease = claim(session, campaign, "ada", wait_for_decision=False).lease
    row = loop.row(LeaseRow, lease.id)
    values = {column.name: getattr(row, column.name) for column in LeaseRow.__table__.columns}
    with pytest.raises(IntegrityError) as refused, loop.sessions.begin() as session:
        session.execute(insert(LeaseRow).values(values | {"id": "lse_other"}))
    assert "uq_lease_one_per" in str(refused.value)
    assert lease.token not in str(refused.value)


def test_a_connection_that_the_server_ended_between_transactions_is_replaced_unseen(sessions):
    with sessions() as session:
        ended = session.execute(_PID).scalar_one()
    with sessions() as holding:
        assert holding.execute(_PID).scalar_one() == ended  # the pool gives the last one back first
        with sessions() as other:
            kept = other.execute(_PID).scalar_one()
    with sessions() as session:  # of the two that wait, one ends the other
        first = session.execute(_PID).scalar_one()
        waiting = ended if first == kept else kept
        # It waits until the other has gone: what ends while it is asked for something cannot be replaced unseen.
        assert session.execute(text("select pg_terminate_backend(:pid, 10000)"), {"pid": waiting}).scalar_one()
    with sessions() as one, sessions() as two:
        assert one.execute(_PID).scalar_one() != two.execute(_PID).scalar_one()


def test_a_server_that_vanished_is_given_up_within_half_a_minute(sessions):
    with sessions() as session:
        given = session.connection().connection.driver_connection.info.get_parameters()
    probes_s = int(given["keepalives_idle"]) + int(given["keepalives_interval"]) * int(given["keepalives_count"])
    assert probes_s < 30
    assert int(given["tcp_user_timeout"]) < 30_000
