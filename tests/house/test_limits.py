"""Limits worth keeping: short modules, short functions, a docstring on every public name."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("models", "service", "workers", "client/filmloop_client")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> Iterator[tuple[Path, str]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT), path.read_text()


def functions(text: str) -> list[Function]:
    return [n for n in ast.walk(ast.parse(text)) if isinstance(n, Function)]


def body_lines(function: Function) -> int:
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    start = first.end_lineno if documented else function.lineno
    assert function.end_lineno is not None
    assert start is not None
    return function.end_lineno - start


def is_overload(node: ast.stmt) -> bool:
    """Whether it only tells types of a function that follows, which has the words."""
    decorators = node.decorator_list if isinstance(node, Function) else []
    return any(isinstance(d, ast.Name) and d.id == "overload" for d in decorators)


def test_modules_are_short() -> None:
    lengths = {str(path): text.count("\n") for path, text in modules() if text.count("\n") > 2}
    assert {p: n for p, n in lengths.items() if n > 400} == {}
    assert statistics.median(lengths.values()) <= 130


def test_functions_are_short() -> None:
    lengths = {f"{path}:{f.name}": body_lines(f) for path, text in modules() for f in functions(text)}
    assert {name: n for name, n in lengths.items() if n > 60} == {}
    assert statistics.median(lengths.values()) <= 12


def test_public_names_are_documented() -> None:
    bare = []
    for path, text in modules():
        for node in ast.parse(text).body:
            public = isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node) and not is_overload(node):
                bare.append(f"{path}:{node.name}")
    assert bare == []
