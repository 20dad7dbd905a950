"""A visit: one page of a browser, with all that must not happen on it noted."""

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

AXE = Path(__file__).parent / "vendor/axe-core/axe.min.js"
SERIOUS = {"serious", "critical"}
SCREENSHOTS = Path(os.environ.get("FILMLOOP_SCREENSHOTS") or Path(__file__).parents[2] / "screenshots")
"""Where pictures are kept."""
TALLEST = 20_000
"""Pixels up to which a page is kept as a whole."""
OF_REDOC = "Incompatible types in allOf"
"""ReDoc's doubt about a schema that says of one field what is so only where another is given."""
_numbers = itertools.count()


@dataclass(frozen=True)
class Demo:
    """A Filmloop that runs, and a campaign on it."""

    url: str
    campaign: str
    key: str
    client: httpx.Client
    database: str

    def get(self, path: str) -> Any:
        """What the API answers, as JSON."""
        return self.client.get(path).raise_for_status().json()

    def let_pass(self, proposal: str) -> None:
        """Move the end of a proposal's lease into the past, as if the time had gone by."""
        engine = create_engine(self.database, poolclass=NullPool)
        over = text("update lease set expires_at = now() - interval '1 s' where proposal_id = :p and state = 'live'")
        with engine.begin() as connection:
            assert connection.execute(over, {"p": proposal}).rowcount == 1

    def post(self, path: str, body: Any) -> Any:
        """What the API answers to a new request, as JSON."""
        headers = {"Idempotency-Key": f"browser-{os.getpid()}-{next(_numbers)}"}
        return self.client.post(path, json=body, headers=headers).raise_for_status().json()


class Visit:
    """One visitor with a session of their own."""

    def __init__(
        self,
        browser: Any,
        demo: Demo,
        *,
        theme: str = "light",
        locale: str = "en",
        width: int = 1280,
        known: bool = True,
    ) -> None:
        self.demo, self.theme = demo, theme
        self.said: list[str] = []
        """Whatever the page complained of."""
        self.foreign: list[str] = []
        """Requests to anybody but the server."""
        size = {"width": width, "height": 900}
        self.context = browser.new_context(viewport=size, color_scheme=theme, locale=locale, base_url=demo.url)
        if known:
            answer = self.context.request.post("/v1/session", data={"key": demo.key}, headers={"Origin": demo.url})
            assert answer.status == 201, answer.text()
        self.page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", self._asked)

    def go(self, path: str) -> None:
        """Open a page and let it settle."""
        self.page.goto(path)
        self.page.wait_for_load_state("load")

    def press(self, name: str, *, inside: str = "main") -> None:
        """Click a button by its words."""
        self.page.locator(inside).get_by_role("button", name=name, exact=True).first.click()

    def confirm(self, name: str) -> None:
        """Click a button of the open dialog, and wait until it has closed."""
        self.page.locator("dialog[open]").get_by_role("button", name=name, exact=True).click()
        self.page.locator("dialog[open]").wait_for(state="detached")

    def hindrances(self) -> list[str]:
        """What axe finds that would seriously hinder somebody."""
        # Evaluated, not added as a script: the page's policy allows no script of others.
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{v['id']} ({v['impact']}): {node['target']} {node['failureSummary'][:300]}"
            for v in found["violations"]
            if v["impact"] in SERIOUS
            for node in v["nodes"][:3]
        ]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        wide: int = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return wide

    def pictures(self, name: str, themes: Sequence[str]) -> None:
        """Keep a screenshot in each theme, for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        whole = self.page.evaluate("document.documentElement.scrollHeight") < TALLEST
        for theme in themes:
            self.page.emulate_media(color_scheme=theme)
            self.page.screenshot(path=SCREENSHOTS / f"{name}-{theme}.png", full_page=whole)
        self.page.emulate_media(color_scheme=self.theme)

    def close(self) -> None:
        """End the visit; nothing may have gone wrong on it."""
        self.context.close()
        assert self.said == []
        assert self.foreign == []

    def _heard(self, message: Any) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(OF_REDOC):
            self.said.append(f"{message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.demo.url, "data:", "blob:")):
            self.foreign.append(request.url)
