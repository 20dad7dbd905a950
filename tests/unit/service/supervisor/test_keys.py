"""The file of the first key, and how long keys are good."""

import stat
from datetime import timedelta

import pytest
from click.testing import CliRunner

from service.supervisor.key_file import keep_key, key_file, read_key
from service.supervisor.key_show import show_command
from service.supervisor.keys import Duration


def test_the_key_is_kept_for_its_owner_alone(tmp_path):
    assert read_key(tmp_path) is None
    for secret in ("flp_one", "flp_two"):
        keep_key(tmp_path, secret)
        assert read_key(tmp_path) == secret
        assert stat.S_IMODE(key_file(tmp_path).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize(
    ("said", "seconds"), [("90d", 90 * 86_400), ("12h", 43_200), ("15m", 900), ("0s", 0), ("1.5h", None), ("-1d", None)]
)
def test_durations(said, seconds):
    if seconds is None:
        with pytest.raises(Exception, match="is not like 90d"):
            Duration().convert(said, None, None)
    else:
        assert Duration().convert(said, None, None) == timedelta(seconds=seconds)


def test_the_key_is_shown_alone_on_its_line(tmp_path, monkeypatch):
    monkeypatch.delenv("FILMLOOP_KEY", raising=False)
    told = ["--data-dir", str(tmp_path)]
    missing = CliRunner().invoke(show_command, told)
    assert missing.exit_code == 1
    assert "filmloop up" in missing.output
    keep_key(tmp_path, "flp_one")
    assert CliRunner().invoke(show_command, told).output == "flp_one\n"
    monkeypatch.setenv("FILMLOOP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FILMLOOP_KEY", "flp_other")
    assert CliRunner().invoke(show_command).output == "flp_other\n"
    assert CliRunner().invoke(show_command, told).output == "flp_one\n"  # that one was asked for
