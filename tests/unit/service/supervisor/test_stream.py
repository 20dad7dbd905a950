"""The log of many processes: whole lines with names, in a file that does not grow without end."""

import io
import json
import os

import pytest

from service.supervisor import stream as module
from service.supervisor.stream import Stream


class Terminal(io.StringIO):
    """A terminal that people read."""

    def isatty(self):
        return True


@pytest.fixture
def file(tmp_path):
    return tmp_path / "log" / "filmloop.log"


def test_lines_of_all_children_come_whole_and_with_their_names(file):
    stream = Stream(file, None, as_json=False)
    api, worker = stream.pipe("api"), stream.pipe("worker-1")
    os.write(api, b"one li")
    os.write(worker, b"two\n")
    os.write(api, b"ne\nlast words without an end")
    stream.close()
    lines = file.read_text().splitlines()
    assert [line for line in lines if line.startswith("api")] == [
        "api          | one line",
        "api          | last words without an end",
    ]
    assert "worker-1     | two" in lines


def test_a_child_that_starts_again_writes_into_the_same_pipe(file):
    stream = Stream(file, None, as_json=False)
    assert stream.pipe("api") == stream.pipe("api")
    stream.close()


def test_names_are_coloured_on_a_terminal_only(file):
    terminal = Terminal()
    stream = Stream(file, terminal, as_json=False)
    stream.say("hello")
    stream.close()
    assert terminal.getvalue().startswith("\033[")
    assert "\033" not in file.read_text()


def test_a_terminal_that_is_gone_is_left_out(file):
    terminal = io.StringIO()
    terminal.close()
    stream = Stream(file, terminal, as_json=False)
    stream.say("one")
    stream.say("two")
    stream.close()
    assert len(file.read_text().splitlines()) == 2


def test_for_machines_every_line_is_an_object_whatever_the_child_writes(file):
    stream = Stream(file, None, as_json=True)
    os.write(stream.pipe("api"), b'{"event": "request", "status": 200}\nplain words\n[1]\n')
    stream.close()
    assert [json.loads(line) for line in file.read_text().splitlines()] == [
        {"process": "api", "event": "request", "status": 200},
        {"process": "api", "event": "plain words"},
        {"process": "api", "event": "[1]"},
    ]


def test_bytes_that_are_no_text_do_not_stop_it(file):
    stream = Stream(file, None, as_json=False)
    os.write(stream.pipe("api"), b"\xff\xfe broken\nfine\n")
    stream.close()
    assert "api          | fine" in file.read_text()


def test_the_file_is_rotated(file, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    stream = Stream(file, None, as_json=False)
    for number in range(500):
        stream.say(f"line {number}")
    stream.close()
    files = sorted(file.parent.iterdir())
    assert len(files) == 1 + module.BACKUPS
    assert all(part.stat().st_size <= 1000 for part in files)
    assert "line 499" in file.read_text()
