"""Which key the client sends, and to whom."""

import pytest
from platformdirs import user_data_path

from filmloop_client import Client, KeyRefused
from filmloop_client.keys import data_dir, find
from filmloop_client.transport import Transport
from tests.unit.client.scripted_server import Answer


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.delenv("FILMLOOP_KEY", raising=False)
    monkeypatch.setenv("FILMLOOP_DATA_DIR", str(tmp_path))
    (tmp_path / "key").write_text("flp_kept\n")


@pytest.mark.usefixtures("kept")
def test_what_is_given_comes_first(monkeypatch):
    assert find("127.0.0.1", None) == "flp_kept"
    monkeypatch.setenv("FILMLOOP_KEY", "flp_env")
    assert find("127.0.0.1", None) == "flp_env"
    assert find("127.0.0.1", "flp_given") == "flp_given"


@pytest.mark.usefixtures("kept")
def test_the_key_of_this_machine_goes_nowhere_else(tmp_path):
    for host in ("filmloop.lab.example", "192.0.2.1", "localhost.example.org"):
        assert find(host, None) is None
    (tmp_path / "key").unlink()
    assert find("localhost", None) is None


@pytest.mark.usefixtures("kept")
def test_the_key_is_sent_with_every_call(server):
    server.answers = [Answer(body={"items": [], "next": None})]
    with Client(server.url) as client:
        assert list(client.campaigns.list()) == []
    assert server.asked[0].authorization == "Bearer flp_kept"


@pytest.mark.usefixtures("kept")
def test_a_key_that_was_rotated_is_looked_for_again(server, tmp_path):
    server.answers = [Answer(401), Answer(body={"items": [], "next": None})]
    with Client(server.url) as client:
        (tmp_path / "key").write_text("flp_new\n")
        assert list(client.campaigns.list()) == []
        assert list(client.campaigns.list()) == []
        server.answers = [Answer(401)]
        with pytest.raises(KeyRefused):
            list(client.campaigns.list())
    assert [a.authorization for a in server.asked] == ["Bearer flp_kept", *["Bearer flp_new"] * 3]


@pytest.mark.usefixtures("kept")
def test_a_key_that_was_given_is_replaced_by_none(server):
    server.answers = [Answer(401)]
    with Client(server.url, key="flp_given") as client, pytest.raises(KeyRefused):
        list(client.campaigns.list())
    assert [a.authorization for a in server.asked] == ["Bearer flp_given"]


@pytest.mark.usefixtures("kept")
def test_a_stream_asks_with_the_new_key_too(server, tmp_path):
    server.answers = [Answer(401), Answer()]
    transport = Transport(server.url)
    (tmp_path / "key").write_text("flp_new\n")
    with transport.stream("/events", params={}, headers={}, silence_s=5.0) as answer:
        assert answer.status_code == 200
    transport.close()
    assert [a.authorization for a in server.asked] == ["Bearer flp_kept", "Bearer flp_new"]


def test_the_data_directory_is_where_the_service_has_it(monkeypatch):
    monkeypatch.delenv("FILMLOOP_DATA_DIR", raising=False)
    assert data_dir() == user_data_path("filmloop", appauthor=False)
