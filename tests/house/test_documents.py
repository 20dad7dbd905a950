"""Every block of code that a document shows is run by a test, and every command that it names exists."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from service.cli import main

ROOT = Path(__file__).parents[2]
RUN = {
    "README.md": {"python": "tests/e2e/test_demo.py"},
    "client/README.md": {"python": "tests/e2e/test_pages.py"},
    "docs/operating.md": {"bash": "tests/fault/test_restore.py"},
    "docs/tutorial.md": {"python": "tests/e2e/test_demo.py"},
    "docs/researcher.md": {"python": "tests/e2e/test_demo.py"},
    "docs/record.md": {"python": "tests/e2e/test_demo.py"},
    "docs/files.md": {"python": "tests/e2e/test_demo.py"},
    "docs/client.md": {"python": "tests/e2e/test_pages.py"},
    "docs/bridges.md": dict.fromkeys(("python", "bash", "toml"), "tests/e2e/test_pages.py"),
    "docs/commands.md": {"bash": "tests/e2e/test_pages.py"},
    "docs/instrument.md": {"bash": "tests/integration/test_instrument_page.py"},
    "docs/robot.md": {"bash": "tests/integration/test_robot_page.py"},
    "docs/generators.md": {"python": "tests/contracts/test_generators_page.py"},
    "docs/http.md": {"bash": "tests/integration/test_http_page.py"},
    "docs/extending.md": {"python": "tests/contracts/test_extending.py"},
}
"""Which test runs the blocks of a language of a document."""
SHOWN = {"json", "mermaid"}
"""What is shown and not run: examples of messages, and a drawing."""


def documents() -> list[str]:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "client/README.md", *(ROOT / "docs").rglob("*.md")]
    return sorted(str(page.relative_to(ROOT)) for page in pages)


def blocks(document: str) -> list[tuple[str, str]]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", documents())
def test_code_that_is_shown_is_run(document: str) -> None:
    told = {language for language, _ in blocks(document) if language} - SHOWN
    run = RUN.get(document, {})
    assert told == set(run), "name the test that runs it"
    for test in run.values():
        assert Path(document).name in (ROOT / test).read_text(encoding="utf-8")


def commands(text: str) -> Iterator[list[str]]:
    """Every call of `filmloop` in a block or in a line of text."""
    whole = text.replace("\\\n", " ")
    for found in re.findall(r"(?:^|[`$(]|&& )\s*(filmloop [^`#|&;>\n]+)", whole, re.MULTILINE):
        plain = found.replace("…", "x").replace("(", "").replace(")", "")
        yield shlex.split(plain if plain.count('"') % 2 == 0 else plain.replace('"', ""))[1:]


def check(words: list[str], command: click.Command, context: click.Context) -> str | None:
    """What is wrong with a call; None if nothing is."""
    if isinstance(command, click.Group):
        if not words or words[0].startswith("-") or words[0].isupper() or words[0] == "x":
            return None
        found = command.get_command(context, words[0])
        if found is None:
            return f"no command {words[0]!r}"
        return check(words[1:], found, click.Context(found, parent=context, info_name=words[0]))
    if command.context_settings.get("ignore_unknown_options"):
        return None
    known = {name for option in command.get_params(context) for name in (*option.opts, *option.secondary_opts)}
    wrong = [word for word in words if word.startswith("-") and word.split("=")[0] not in known]
    return f"no option {wrong[0]}" if wrong else None


@pytest.mark.parametrize("document", documents())
def test_commands_that_are_named_exist(document: str) -> None:
    context = click.Context(main, info_name="filmloop")
    text = (ROOT / document).read_text(encoding="utf-8")
    wrong = {" ".join(words): why for words in commands(text) if (why := check(words, main, context))}
    assert wrong == {}


def leaves(command: click.Command, name: str = "filmloop") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(command, info_name=name)
    if not isinstance(command, click.Group):
        yield name, command
        return
    for each in command.list_commands(context):
        found = command.get_command(context, each)
        assert found is not None
        yield from leaves(found, f"{name} {each}")


SAY_NO_JSON = {
    "filmloop up",
    "filmloop database",
    "filmloop openapi",
    "filmloop completion",
    "filmloop campaign template",
    "filmloop key show",
    "filmloop open",
}
"""Processes that go on, and what prints nothing but a file or one word."""


def test_every_command_helps_and_speaks_json() -> None:
    silent, bare = [], []
    for name, command in leaves(main):
        options = {opt for p in command.params for opt in p.opts}
        if name not in SAY_NO_JSON and "--json" not in options:
            silent.append(name)
        if not command.help or any(isinstance(p, click.Option) and not p.help for p in command.params):
            bare.append(name)
    assert (silent, bare) == ([], [])
