"""The address that lets in whoever runs Filmloop."""

import os

import pytest
from click.testing import CliRunner

from service.supervisor.key_file import keep_key
from service.supervisor.open_pages import open_command
from service.supervisor.run_file import write_run_file


@pytest.fixture
def told(tmp_path):
    """What the command prints, and how it ends."""
    return lambda: CliRunner().invoke(open_command, ["--print", "--data-dir", str(tmp_path)])


def test_the_key_stands_where_no_server_sees_it(tmp_path, told):
    write_run_file(tmp_path, {"url": "http://127.0.0.1:8000", "pid": os.getpid()})
    assert told().output == "http://127.0.0.1:8000/\n"
    keep_key(tmp_path, "flp_3f8m2k9d_secret")
    assert told().output == "http://127.0.0.1:8000/login#flp_3f8m2k9d_secret\n"


def test_nothing_is_opened_where_nothing_runs(tmp_path, told):
    ended = told()
    assert ended.exit_code != 0
    assert f"no Filmloop runs in {tmp_path}" in ended.output
