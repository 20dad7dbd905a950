"""`filmloop benchmark`: the studies of the source checkout."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import click


@click.command("benchmark", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--json", "as_json", is_flag=True, help="List them as JSON.")
@click.argument("study", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def benchmark_command(study: str | None, arguments: tuple[str, ...], as_json: bool) -> None:
    """Run STUDY with its own ARGUMENTS, or list what there is.

    `filmloop benchmark latency --help` shows the options of one. Studies come with the source, not with the package.
    """
    known = studies()
    if study is None:
        lines = [json.dumps(known)] if as_json else [f"  {name:<24} {told}" for name, told in known.items()]
        click.echo("\n".join(lines))
        return
    if study not in known:
        raise click.UsageError(f"no study {study!r}; there are {', '.join(known)}")
    raise SystemExit(subprocess.run([sys.executable, "-m", f"benchmarks.{study}", *arguments], check=False).returncode)  # noqa: S603 - our own modules


def studies() -> dict[str, str]:
    """Every study by name, with the first line that it says of itself.

    Raises:
        click.ClickException: If this is no source checkout.
    """
    found = importlib.util.find_spec("benchmarks")
    if found is None or not found.submodule_search_locations:
        raise click.ClickException("the studies come with the source: run this in a checkout of Filmloop")
    folder = Path(found.submodule_search_locations[0])
    pages = [*folder.glob("*.py"), *folder.glob("*/__main__.py")]
    told = {}
    for page in pages:
        tree = ast.parse(page.read_text(encoding="utf-8"))
        runs = any(isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in tree.body)
        if runs:
            name = page.parent.name if page.stem == "__main__" else page.stem
            told[name] = (ast.get_docstring(tree) or "").splitlines()[0]
    return dict(sorted(told.items()))
