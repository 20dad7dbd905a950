"""The address that lets in whoever runs Filmloop."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

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


@pytest.mark.skipif(sys.platform != "linux", reason="xdg-open is of Linux")
def test_no_browser_is_started_with_the_key(tmp_path, monkeypatch):
    """A program in the browser's place notes with what it was started: everybody on the machine may read that."""
    noted, bin_dir, data = tmp_path / "noted", tmp_path / "bin", tmp_path / "data"
    bin_dir.mkdir()
    data.mkdir()
    (bin_dir / "xdg-open").write_text(f'#!/bin/sh\necho "$@" > {noted}.new\nmv {noted}.new {noted}\n')
    (bin_dir / "xdg-open").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_dir}:{os.environ['PATH']}")
    write_run_file(data, {"url": "http://127.0.0.1:8000", "pid": os.getpid()})
    keep_key(data, "flp_3f8m2k9d_secret")
    command = [Path(sys.executable).parent / "filmloop", "open", "--data-dir", data]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")
    while not noted.exists():
        time.sleep(0.01)
    assert noted.read_text() == f"{data / 'open.html'}\n"
    assert stat.S_IMODE((data / "open.html").stat().st_mode) == 0o600
    assert 'content="0; url=http://127.0.0.1:8000/login#flp_3f8m2k9d_secret"' in (data / "open.html").read_text()


def test_nothing_is_opened_where_nothing_runs(tmp_path, told):
    ended = told()
    assert ended.exit_code != 0
    assert f"no Filmloop runs in {tmp_path}" in ended.output
