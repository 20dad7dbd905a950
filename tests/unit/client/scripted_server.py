"""A real HTTP server in a thread that answers from a script: no mocked transport anywhere."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """One scripted answer; status 0 cuts the connection without an answer."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    key: str | None
    token: str | None
    body: object
    authorization: str | None = None


class ScriptedServer(ThreadingHTTPServer):
    """Gives its answers one after the other, the last one for ever, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Answer] = []
        self.asked: list[Asked] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedServer

    def _handle(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(raw) if raw else None
        heads = self.headers
        said = (heads["Idempotency-Key"], heads["Lease-Token"], body, heads["Authorization"])
        self.server.asked.append(Asked(self.command, self.path, *said))
        answer = self.server.next_answer()
        if answer.delay_s:
            threading.Event().wait(answer.delay_s)
        if answer.status == 0:
            self.close_connection = True
            return
        content = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _handle  # noqa: N815  (names are given by http.server)

    def log_message(self, *_: object) -> None:
        pass
