"""The tools that keep the house in order, run as tests so that one command checks everything."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

TOOLS = {
    "ruff format": [BIN / "ruff", "format", "--check", "."],
    "ruff check": [BIN / "ruff", "check", "."],
    "mypy strict": [BIN / "mypy"],
    "import contracts": [BIN / "lint-imports"],
    "Dockerfile": [BIN / "hadolint", "Dockerfile"],
    "Compose's schema": [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_is_clean(tool: str) -> None:
    done = subprocess.run(TOOLS[tool], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{tool}:\n{done.stdout}\n{done.stderr}"


def test_ci_runs_exactly_the_second_command_of_the_readme() -> None:
    command = "pip install -c constraints.txt -e '.[test]' && python -m pytest"
    assert command in (ROOT / "README.md").read_text()
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert command in lines


def test_every_dependency_is_pinned() -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert "torch==2.13.0" in pins
    assert [p for p in pins if p.count("==") != 1 or "+" in p] == []
