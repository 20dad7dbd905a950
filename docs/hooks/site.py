"""What the site adds to the pages: README as the start, measured tables, the record of decisions, calls and commands.

Pages are written for readers of the repository, so links that leave `docs/` are followed there, or become plain text.
"""

import json
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def _taken_in() -> dict[str, str]:
    """Page of the site by file of the repository, for files outside `docs/`."""
    pages = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
    pages["benchmarks/README.md"] = "measured/index.md"
    for path in sorted((ROOT / "benchmarks/results").rglob("*.md")):
        pages[str(path.relative_to(ROOT))] = f"measured/{path.stem}.md"
    for path in sorted((ROOT / "benchmarks/results").rglob("*.png")):
        pages[str(path.relative_to(ROOT))] = f"measured/{path.name}"
    return pages


NOTEBOOK = "docs/notebooks/first_campaign.ipynb"
TAKEN_IN = _taken_in() | {NOTEBOOK: "notebook.md"}
ORIGIN = {page: origin for origin, page in TAKEN_IN.items()}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add decisions and measured tables to the navigation, as many as there are."""
    decisions = [f"adr/{path.name}" for path in sorted((ROOT / "docs/adr").glob("[0-9]*.md"))]
    measured = sorted(page for page in ORIGIN if page.startswith("measured/") and page.endswith(".md"))
    measured.remove("measured/index.md")
    added = {"Decisions": ["adr/README.md", *decisions], "Measured": ["measured/index.md", *measured]}
    config.nav = [
        *(config.nav or []),
        *({name: pages} for name, pages in added.items()),
        {"Project": ["contributing.md", "changelog.md"]},
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are kept elsewhere in the repository."""
    for origin, page in TAKEN_IN.items():
        path = ROOT / origin
        content: str | bytes = path.read_bytes() if path.suffix == ".png" else path.read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_as_page(str(content)) if origin == NOTEBOOK else content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - mkdocs' signature
    """Lead links of the repository to pages of the site, and fill in what is written by the code itself."""
    name = page.file.src_uri
    markdown = markdown.replace("<!-- calls -->", "\n".join(_calls())) if name == "reference/calls.md" else markdown
    if name == "reference/commands.md":
        markdown = markdown.replace("<!-- commands -->", "\n".join(_commands()))
    return _LINK.sub(lambda found: _led(found, name), markdown)


def _led(found: re.Match[str], page: str) -> str:
    """A link as it is on the site."""
    picture, text, target = found.groups()
    if "://" in target or target.startswith(("#", "mailto:")):
        return found.group(0)
    path, _, anchor = target.partition("#")
    origin = ORIGIN.get(page, f"docs/{page}")
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
    place = TAKEN_IN.get(wanted) or TAKEN_IN.get(f"{wanted}/README.md")
    if place is None and wanted.startswith("docs/"):
        inside = wanted.removeprefix("docs/")
        place = f"{inside}/README.md" if (ROOT / wanted / "README.md").exists() else inside
    if place is None or place == "openapi.json":
        return text
    led = posixpath.relpath(place, posixpath.dirname(page) or ".")
    return f"{picture}[{text}]({led}{'#' if anchor else ''}{anchor})"


def _calls() -> Iterator[str]:
    """A table of calls for each kind of user."""
    described: dict[str, Any] = json.loads((ROOT / "docs/openapi.json").read_text(encoding="utf-8"))
    by_user: dict[str, list[str]] = {}
    for path, methods in described["paths"].items():
        for method, call in methods.items():
            if method in {"get", "post", "patch", "put", "delete"}:
                summary = (call.get("description") or call.get("summary") or "").splitlines()[0]
                line = f"| `{method.upper()} {path}` | {summary.replace('|', '&#124;')} |"
                by_user.setdefault((call.get("tags") or ["other"])[0], []).append(line)
    for user, lines in by_user.items():
        yield from (f"\n## {user.capitalize()}\n", "| call | |", "| --- | --- |", *lines)


def _commands() -> Iterator[str]:
    """The help of every command."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from service.cli import main  # noqa: PLC0415 - only this page needs it

    yield from _helped(main, None, "filmloop")


def _helped(command: click.Command, parent: click.Context | None, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name.rsplit(" ", 1)[-1], parent=parent, max_content_width=100)
    yield from (f"\n## {name}\n", "```text", command.get_help(context), "```")
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            if found is not None and not found.hidden:
                yield from _helped(found, context, f"{name} {each}")


def _as_page(notebook: str) -> str:
    """A notebook as a page: text as it is, code in blocks."""
    pages = []
    for cell in json.loads(notebook)["cells"]:
        text = "".join(cell["source"])
        pages.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join(pages) + "\n"
