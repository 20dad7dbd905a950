"""Everything an operator may set: environment variables `FILMLOOP_…`, nested names joined by two underscores.

`FILMLOOP_DATABASE__URL` is `Settings().database.url`. Nothing set means the embedded default: `filmloop up` starts
Postgres and the broker under `data_dir` and hands their addresses to its children by these same variables.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from platformdirs import user_data_path
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

POSTGRES_SCHEMES = ("postgresql+psycopg", "postgresql", "postgres")
BROKER_SCHEMES = ("redis", "rediss")


def _begins(url: str) -> str:
    """The scheme of a refused address and no more of it: the rest may hold a password."""
    scheme, separator, _ = url.partition("://")
    return f"with {scheme[:30]!r}" if separator else "has no scheme"


def with_password(given: object) -> object:
    """Put the password of `password_file` into `url`, unless that holds one: a secret in a file is seen by fewer."""
    if not isinstance(given, dict) or not given.get("password_file") or not given.get("url"):
        return given
    scheme, separator, rest = str(given["url"]).partition("://")
    place, slash, path = rest.partition("/")
    user, _, host = place.rpartition("@")
    if ":" in user:
        return given
    try:
        password = Path(str(given["password_file"])).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"the password_file cannot be read: {error.strerror}") from error
    return given | {"url": f"{scheme}{separator}{user}:{quote(password, safe='')}@{host}{slash}{path}"}


class MissingSetting(RuntimeError):
    """A process was started without an address that it needs. The operator must give it; a retry does not help."""


class Section(BaseModel):
    """A group of settings; a name that does not exist is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class DatabaseSettings(Section):
    """Where the record is kept."""

    url: str | None = Field(default=None, repr=False)
    """`postgresql+psycopg://…`; none means the embedded Postgres. May hold a password, so it is never printed."""
    password_file: Path | None = None
    """File that holds the password which the address leaves out."""
    pool_size: int = Field(default=10, ge=1, le=200)
    """Connections that one process keeps open at most."""

    _with_password = model_validator(mode="before")(with_password)

    @field_validator("url")
    @classmethod
    def _with_driver(cls, url: str | None) -> str | None:
        if not url:
            return None
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in POSTGRES_SCHEMES:
            raise ValueError(f"a database address begins with postgresql+psycopg://, this one {_begins(url)}")
        return f"postgresql+psycopg://{rest}"


class BrokerSettings(Section):
    """The doorbell between the service and its workers."""

    url: str | None = Field(default=None, repr=False)
    """`redis://…` (Redis or Valkey); none means the embedded Valkey. May hold a password, so it is never printed."""
    password_file: Path | None = None
    """File that holds the password which the address leaves out."""

    _with_password = model_validator(mode="before")(with_password)

    @field_validator("url")
    @classmethod
    def _redis_only(cls, url: str | None) -> str | None:
        if not url:
            return None
        scheme, separator, _ = url.partition("://")
        if not separator or scheme not in BROKER_SCHEMES:
            raise ValueError(f"a broker address begins with redis:// or rediss://, this one {_begins(url)}")
        return url


class ApiSettings(Section):
    """Where the API listens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    body_silent_s: float = Field(default=30.0, gt=0.0, le=600.0)
    """Seconds without a byte of a request's body after which its sender is sent away."""
    body_s: float = Field(default=600.0, gt=0.0, le=86_400.0)
    """Seconds that a request's body may take, however steadily it comes."""
    names: str = ""
    """Names under which browsers and programs reach it, with commas between; addresses and `localhost` need none."""
    rate_per_s: float = Field(default=500.0, gt=0.0, le=1e6)
    """Requests that one key's holder may send in a second, on average."""
    wrong_keys_per_s: float = Field(default=5.0, gt=0.0, le=1e6)
    """How fast one may guess from an address: ten seconds of it at once, then ever slower."""

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine itself can reach it."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class LogSettings(Section):
    """How much is written, and for whom: people or machines."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    as_json: bool = Field(default=False, validation_alias=AliasChoices("json", "as_json"))
    """`FILMLOOP_LOG__JSON`; the attribute has another name because pydantic's models already have a `json`."""

    @field_validator("level", mode="before")
    @classmethod
    def _any_case(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level


class WorkerSettings(Section):
    """How workers and housekeeping use the machine."""

    threads: int = Field(default=1, ge=1, le=256)
    """Threads of the linear algebra; one is fastest unless the machine does nothing else."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$")
    """Where a worker computes: `auto` takes the first GPU if there is one, `cuda:1` the second."""
    silent_s: float = Field(default=120.0, ge=1.0, le=3600.0)
    """Seconds without any progress after which a worker in the middle of a job hangs, and is ended and started anew."""
    memory_mb: int | None = Field(default=None, ge=256, le=1_048_576)
    """Most memory that a training may take, of the machine or, where it computes on one, of the GPU; none: no bound."""
    deterministic: bool = False
    """Let a GPU compute a training the same way every time, which is slower; a processor always does."""
    pulse: Path | None = None
    """File that the worker touches while it works, for whoever watches it from outside; `filmloop up` sets it."""
    summons: Path | None = None
    """File that housekeeping touches when a training waits, for whoever starts workers; `filmloop up` sets it."""
    sweep_s: float = Field(default=2.0, gt=0, le=10)
    """Seconds between two sweeps of the housekeeping: the longest that work waits if its message was lost."""

    @field_validator("device")
    @classmethod
    def _first_by_default(cls, device: str) -> str:
        return "cuda:0" if device == "cuda" else device


class Settings(BaseSettings):
    """The settings of every Filmloop process, read once when it starts."""

    model_config = SettingsConfigDict(
        env_prefix="FILMLOOP_",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # an address may hold a password
    )

    data_dir: Path = Field(default_factory=lambda: user_data_path("filmloop", appauthor=False))
    """All that the embedded default keeps: database, broker, artifacts, logs."""
    database: DatabaseSettings = DatabaseSettings()
    broker: BrokerSettings = BrokerSettings()
    api: ApiSettings = ApiSettings()
    log: LogSettings = LogSettings()
    worker: WorkerSettings = WorkerSettings()

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, data_dir: Path) -> Path:
        return data_dir.expanduser().absolute()

    @property
    def artifacts_dir(self) -> Path:
        """Where model versions' content-addressed files lie."""
        return self.data_dir / "artifacts"

    @property
    def exports_dir(self) -> Path:
        """Where exports are written while they are sent; nothing stays there."""
        return self.data_dir / "exports"

    def require_database_url(self) -> str:
        """The database's address, for a process that is not told to start one.

        Raises:
            MissingSetting: If there is none.
        """
        if self.database.url is None:
            raise MissingSetting("FILMLOOP_DATABASE__URL is not set; `filmloop up` sets it for the processes it starts")
        return self.database.url

    def require_broker_url(self) -> str:
        """The broker's address, for a process that is not told to start one.

        Raises:
            MissingSetting: If there is none.
        """
        if self.broker.url is None:
            raise MissingSetting("FILMLOOP_BROKER__URL is not set; `filmloop up` sets it for the processes it starts")
        return self.broker.url
