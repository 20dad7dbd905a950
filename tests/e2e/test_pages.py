"""The pages of the newer documents and the notebook, run as a reader runs them: real processes, real HTTP."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbclient
import nbformat
import pytest

from filmloop_client import Client
from service.settings import Settings
from service.supervisor import running

ROOT = Path(__file__).parents[2]


def blocks(document: str, language: str) -> list[str]:
    """The blocks of a Markdown file in a language, in order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Iterator[dict[str, str]]:
    """A whole Filmloop of this module's own, and what a shell must know of it."""
    data_dir = tmp_path_factory.mktemp("up")
    with running(Settings(data_dir=data_dir)) as filmloop:
        given = {"FILMLOOP_URL": filmloop.url, "FILMLOOP_DATA_DIR": str(data_dir), "MPLBACKEND": "agg"}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        with pytest.MonkeyPatch.context() as patched:
            for name, value in given.items():
                patched.setenv(name, value)
            yield {**os.environ, "PATH": path}


@pytest.mark.parametrize("document", ["docs/client.md", "docs/bridges.md"])
def test_the_python_of_a_page_runs_as_it_stands(environment, capsys, document):
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(document, "python"):
        exec(compile(block, document, "exec"), names)  # noqa: S102 - our own document
    assert capsys.readouterr().out


def test_the_block_of_the_clients_own_page(environment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (block,) = blocks("client/README.md", "python")
    with Client() as client:
        hall = {"property": "anomalous_hall", "unit": "uohm cm"}
        problem = {"space": {"elements": ["Fe", "Co", "Ni"]}, "objectives": [hall], "film": {"devices": 5}}
        campaign = client.campaigns.create("the client's page", problem)
        campaign.activate()
        code = block.replace("cmp_...", campaign.id).replace("http://127.0.0.1:8000", environment["FILMLOOP_URL"])
        exec(compile(code, "client/README.md", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own document
        assert [(row.device, row.value) for row in campaign.dataset().rows] == [(0, 4.2)]


def shell(code, environment, cwd):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_folder_of_an_instrument(environment, tmp_path):
    with Client() as client:
        hall = {"property": "anomalous_hall", "unit": "uohm cm"}
        problem = {"space": {"elements": ["Fe", "Co", "Ni"]}, "objectives": [hall], "film": {"devices": 5}}
        campaign = client.campaigns.create("a folder", problem)
        campaign.activate()
        film = campaign.robot("sputter-1").claim(wait_s=60).start()
        (mapping,) = blocks("docs/bridges.md", "toml")
        (tmp_path / "hall.toml").write_text(mapping.replace('"FILM"', f'"{film}"'))
        (commands,) = blocks("docs/bridges.md", "bash")
        done = shell(commands, environment | {"CAMPAIGN": campaign.id}, tmp_path)
        assert "0 readings wait, 1 set aside" in done.stdout
        assert "'3,8x', which is no number" in done.stdout
        rows = {row.device: (row.value, row.status) for row in campaign.dataset().rows}
        assert rows == {0: (4.01, "ok"), 1: (None, "dead")}


def test_ones_own_campaign_from_the_command_line(environment, tmp_path):
    done = shell("\n".join(blocks("docs/commands.md", "bash")), environment, tmp_path)
    assert "3 rows taken" in done.stdout
    assert "campaign.active" in done.stdout
    assert "7 rows stored, 0 known already, 0 refused" in done.stdout
    assert "maximise hardness (GPa) in Fe-Co-Ni" in done.stdout


def test_the_notebook_runs_from_top_to_bottom(environment, monkeypatch, tmp_path):
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as a notebook sets it by itself
    notebook = nbformat.read(ROOT / "docs/notebooks/first_campaign.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in shown) == 2
    assert any("GPa at" in output.get("text", "") for output in shown)
