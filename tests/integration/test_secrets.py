"""A lease's token is known to its robot only: it does not leak through an error of the database."""

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from service.operations.claims import claim
from service.store.tables import LeaseRow


def test_an_error_of_the_database_does_not_show_what_was_to_be_stored(loop):
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
