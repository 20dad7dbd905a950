"""Which key the client sends, and to whom."""

import pytest
from platformdirs import user_data_path

from filmloop_client import Client
from filmloop_client.keys import data_dir, find
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


def test_the_data_directory_is_where_the_service_has_it(monkeypatch):
    monkeypatch.delenv("FILMLOOP_DATA_DIR", raising=False)
    assert data_dir() == user_data_path("filmloop", appauthor=False)
