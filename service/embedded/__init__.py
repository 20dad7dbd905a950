"""The embedded default: Postgres and a broker from wheels, in the user's own data directory."""

from service.embedded.postgres import PostgresServer, start_postgres
from service.embedded.process import AlreadyRunning, CannotStart
from service.embedded.valkey import ValkeyServer, start_valkey

__all__ = ["AlreadyRunning", "CannotStart", "PostgresServer", "ValkeyServer", "start_postgres", "start_valkey"]
