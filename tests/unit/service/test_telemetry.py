"""One log: our lines and the libraries' in one shape, with the context's ids and without secrets of local variables."""

import json
import logging

import pytest
import structlog

from service.settings import Settings
from service.telemetry import bound, configure_logging


@pytest.fixture(autouse=True)
def _restore_logging():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_json_lines_carry_the_context_and_nothing_of_it_stays(capsys):
    configure_logging(Settings(log={"json": True}))
    log = structlog.get_logger("filmloop.test")
    with bound(request_id="r-1"), bound(job_id="job_1"):
        log.info("inside", films=3)
    log.info("outside")
    inside, outside = lines(capsys)
    assert inside | {"timestamp": 0} == {
        "event": "inside",
        "films": 3,
        "request_id": "r-1",
        "job_id": "job_1",
        "level": "info",
        "logger": "filmloop.test",
        "timestamp": 0,
    }
    assert not {"request_id", "job_id"} & set(outside)


def test_libraries_are_heard_in_the_same_shape_but_only_when_it_matters(capsys):
    configure_logging(Settings(log={"json": True}))
    logging.getLogger("kombu").info("everyday")
    logging.getLogger("kombu").warning("trouble with %s", "broker")
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["logger"]) == ("trouble with broker", "warning", "kombu")


def test_a_traceback_does_not_show_local_variables(capsys):
    configure_logging(Settings(log={"json": True}))

    def fail(password):
        raise ValueError("no")

    try:
        fail("hunter2")
    except ValueError:
        structlog.get_logger("filmloop.test").exception("failed")
    text = capsys.readouterr().err
    assert "ValueError" in text
    assert "hunter2" not in text


def test_people_get_readable_lines_without_colours_in_a_file(capsys):
    configure_logging(Settings(log={"level": "warning"}))
    structlog.get_logger("filmloop.test").info("too quiet")
    structlog.get_logger("filmloop.test").warning("loud", film="flm_1")
    text = capsys.readouterr().err
    assert "too quiet" not in text
    assert "loud" in text
    assert "film=flm_1" in text
    assert "\033" not in text
