"""The container files say what the code needs, and give strangers nothing. No container is run here."""

import re
from pathlib import Path

import yaml

from service.settings import Settings
from service.supervisor import programs

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name: said for name, said in SERVICES.items() if str(said["image"]).startswith("filmloop")}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_only_the_door_is_published_and_on_this_machine_only_by_default():
    published = {name: said["ports"] for name, said in SERVICES.items() if "ports" in said}
    assert published == {"door": ["${FILMLOOP_ADDRESS:-127.0.0.1}:${FILMLOOP_PORT:-8000}:8080"]}
    assert {name for name, said in SERVICES.items() if "outside" in said["networks"]} == {"door"}
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_the_door_says_whom_it_serves():
    """Wrong keys are counted by where they come from: all strangers would be one, and so would all devices."""
    door = (ROOT / "deploy/nginx.conf").read_text()
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in door  # what the sender says of himself is not believed
    assert {name for name, said in OURS.items() if "FORWARDED_ALLOW_IPS" in said["environment"]} == {"api"}
    assert "ports" not in SERVICES["api"]


def test_our_containers_are_no_root_and_write_nowhere_but_where_they_must():
    assert set(OURS) == {
        "migrate",
        "api",
        "worker-decide",
        "worker-train",
        "worker-train-gpu",
        "housekeeping",
    }
    for said in OURS.values():
        assert (said["user"], said["read_only"], said["cap_drop"]) == ("10001", True, ["ALL"])
        assert said["volumes"] == ["artifacts:/var/lib/filmloop"]
    assert re.findall(r"^USER (.*)$", DOCKERFILE, flags=re.MULTILINE) == ["10001", "10001"]


def test_secrets_come_by_file_and_stand_in_no_environment():
    assert {name: said["file"] for name, said in COMPOSE["secrets"].items()} == {
        "postgres_password": "./secrets/postgres_password",
        "redis_password": "./secrets/redis_password",
    }
    for said in SERVICES.values():
        for name, value in said.get("environment", {}).items():
            assert "PASSWORD" not in name or name.endswith("_FILE")
            assert "PASSWORD" not in str(value)


def test_settings_of_the_containers_exist(monkeypatch, tmp_path):
    (tmp_path / "password").write_text("a/b:c\n")
    for name, value in OURS["api"]["environment"].items():
        given = str(tmp_path / "password") if name.endswith("_FILE") else re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value))
        monkeypatch.setenv(name, given)
    settings = Settings()
    assert settings.database.url == "postgresql+psycopg://filmloop:a%2Fb%3Ac@postgres:5432/filmloop"
    assert settings.broker.url == "redis://:a%2Fb%3Ac@redis:6379/0"
    assert not settings.api.on_loopback
    assert settings.api.names == ""  # any page of this machine comes from a `localhost`
    assert settings.log.as_json


def test_workers_run_as_the_supervisor_runs_them():
    for service, name, command in (
        ("worker-decide", "w", programs.worker_command("w")),
        ("worker-train", "w", programs.worker_command("w", "workers.trainer:app", "train")),
    ):
        said = SERVICES[service]["command"].split()
        ours = command[command.index("--quiet") :]
        named = ours.index("--hostname")
        assert said[1:] == ours[:named] + ours[named + 2 :], name
    assert SERVICES["worker-train-gpu"]["command"] == SERVICES["worker-train"]["command"]
    assert SERVICES["housekeeping"]["command"].split()[1:] == programs.housekeeping_command()[-2:]


def test_every_service_that_stays_has_a_healthcheck():
    assert {name for name, said in SERVICES.items() if "healthcheck" not in said} == {"migrate"}


def test_the_server_ends_in_time():
    """Without a bound a server waits for whoever follows its events."""
    assert "--timeout-graceful-shutdown" in SERVICES["api"]["command"]
    assert "--timeout-graceful-shutdown" in DOCKERFILE


def test_the_image_is_built_from_what_is_allowed_in():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        name for line in re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, flags=re.MULTILINE) for name in line.split()
    }
    assert copied <= allowed
