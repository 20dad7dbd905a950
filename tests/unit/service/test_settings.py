"""Settings come from the environment, are refused when they make no sense, and do not print secrets."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import MissingSetting, Settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in ("DATA_DIR", "DATABASE__URL", "BROKER__URL", "API__PORT", "API__HOST", "LOG__JSON", "LOG__LEVEL"):
        monkeypatch.delenv(f"FILMLOOP_{name}", raising=False)


def test_nothing_set_means_the_embedded_default():
    settings = Settings()
    assert settings.database.url is None
    assert settings.broker.url is None
    assert (settings.api.host, settings.api.port) == ("127.0.0.1", 8000)
    assert settings.data_dir.is_absolute()
    assert settings.data_dir.name == "filmloop"
    assert settings.artifacts_dir == settings.data_dir / "artifacts"


def test_nested_names_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("FILMLOOP_API__PORT", "9001")
    monkeypatch.setenv("FILMLOOP_LOG__JSON", "true")
    monkeypatch.setenv("FILMLOOP_LOG__LEVEL", "debug")
    settings = Settings()
    assert settings.api.port == 9001
    assert "port" in settings.api.model_fields_set
    assert settings.log.as_json
    assert settings.log.level == "DEBUG"


def test_a_gpu_without_a_number_is_the_first(monkeypatch):
    assert Settings().worker.device == "auto"
    monkeypatch.setenv("FILMLOOP_WORKER__DEVICE", "cuda")
    assert Settings().worker.device == "cuda:0"


def test_what_the_caller_says_wins_and_leaves_the_rest_to_the_environment(monkeypatch):
    monkeypatch.setenv("FILMLOOP_API__HOST", "::1")
    monkeypatch.setenv("FILMLOOP_API__PORT", "9001")
    settings = Settings(api={"port": 9002})
    assert (settings.api.host, settings.api.port) == ("::1", 9002)


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "postgresql", "postgres"])
def test_any_usual_spelling_of_postgres_means_psycopg(monkeypatch, scheme):
    monkeypatch.setenv("FILMLOOP_DATABASE__URL", f"{scheme}://me:secret@db/filmloop")
    assert Settings().require_database_url() == "postgresql+psycopg://me:secret@db/filmloop"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DATABASE__URL", "sqlite:///x.db", "postgresql"),
        ("DATABASE__URL", "no address", "postgresql"),
        ("BROKER__URL", "amqp://guest@host", "redis"),
        ("API__PORT", "0", "greater than or equal to 1"),
        ("API__PORT", "65536", "less than or equal to 65535"),
        ("API__PRT", "8000", "Extra inputs"),
        ("LOG__LEVEL", "loud", "DEBUG"),
        ("WORKER__DEVICE", "gpu", "auto|cpu|cuda"),
        ("WORKER__THREADS", "0", "greater than or equal to 1"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(monkeypatch, name, value, message):
    monkeypatch.setenv(f"FILMLOOP_{name}", value)
    with pytest.raises(ValidationError, match=message):
        Settings()


def test_an_empty_address_is_no_address(monkeypatch):
    monkeypatch.setenv("FILMLOOP_DATABASE__URL", "")
    monkeypatch.setenv("FILMLOOP_BROKER__URL", "")
    with pytest.raises(MissingSetting, match="FILMLOOP_DATABASE__URL"):
        Settings().require_database_url()
    with pytest.raises(MissingSetting, match="FILMLOOP_BROKER__URL"):
        Settings().require_broker_url()


def test_passwords_are_not_printed(monkeypatch):
    monkeypatch.setenv("FILMLOOP_DATABASE__URL", "postgresql://me:secret@db/filmloop")
    monkeypatch.setenv("FILMLOOP_BROKER__URL", "redis://:secret@broker/0")
    assert "secret" not in repr(Settings())


@pytest.mark.parametrize("name", ["DATABASE__URL", "BROKER__URL"])
@pytest.mark.parametrize("address", ["me:secret@db/filmloop", "mysql://me:secret@db/filmloop"])
def test_an_address_that_is_refused_does_not_tell_its_password(monkeypatch, name, address):
    monkeypatch.setenv(f"FILMLOOP_{name}", address)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "secret" not in str(refused.value)


def test_the_home_directory_is_resolved(monkeypatch):
    monkeypatch.setenv("FILMLOOP_DATA_DIR", "~/lab")
    assert Settings().data_dir == Path.home() / "lab"
