"""The key under which benchmarks and tests ask: put into the database that they serve, good for everything."""

from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import NullPool
from starlette.types import ASGIApp, Receive, Scope, Send

from service.app import create_app
from service.operations.keys import ROLES, SECRET, digest
from service.store.tables import KeyRow

ID = "testtest"
KEY = f"flp_{ID}_{43 * 't'}"
HEADERS = {"Authorization": f"Bearer {KEY}"}
assert SECRET.fullmatch(KEY)


def admit(url: str) -> None:
    """Put the key into a database that has the newest schema; it may be there already."""
    about = {"id": ID, "sha256": digest(KEY), "holder": ID, "name": "benchmarks", "every_campaign": True}
    with create_engine(url, poolclass=NullPool).begin() as connection:
        said = about | {"scopes": list(ROLES["admin"])}
        connection.execute(postgresql.insert(KeyRow).values(said).on_conflict_do_nothing())


class Introduced:
    """Gives the key to whoever asks without one: what is looked at here is how things fail, not who asks."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http" and not any(name == b"authorization" for name, _ in scope["headers"]):
            said = (b"authorization", HEADERS["Authorization"].encode())
            scope = {**scope, "headers": [*scope["headers"], said]}
        await self.app(scope, receive, send)


def introduced_app() -> ASGIApp:
    """The API, with every caller introduced."""
    return Introduced(create_app())
