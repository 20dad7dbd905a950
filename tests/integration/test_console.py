"""The commands that ask a running Filmloop: what they print, and with which status they end."""

import json

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from benchmarks.keys import KEY
from filmloop_client import watching
from service.cli import main
from service.console.templates import TEMPLATES
from tests.integration.conftest import PROBLEM


@pytest.fixture
def filmloop(api, monkeypatch, tmp_path):
    """Runs a command; gives its lines, or what its JSON says."""
    monkeypatch.setenv("FILMLOOP_URL", str(api.client.base_url))
    monkeypatch.setenv("FILMLOOP_KEY", KEY)
    monkeypatch.chdir(tmp_path)

    def run(*arguments, status=0):
        done = CliRunner().invoke(main, list(arguments))
        assert done.exit_code == status, done.output
        assert "Traceback" not in done.output
        if "--json" in arguments and status == 0:
            (said,) = [line for line in done.stdout.splitlines() if line[:1] in "[{"]  # the API's log is among them
            return json.loads(said)
        return done.output

    return run


def test_a_campaign_from_a_template_to_its_end(filmloop, tmp_path):
    (tmp_path / "problem.json").write_text(filmloop("campaign", "template"))
    made = filmloop("campaign", "create", "mine", "--problem", "problem.json", "--films", "3", "--json")
    assert made["state"] == "draft"
    (listed,) = filmloop("campaign", "list", "--json")
    assert listed["id"] == made["id"]
    for action, state in [
        ("activate", "active"), ("pause", "paused"), ("resume", "active"), ("drain", "completed"),
    ]:  # fmt: skip
        assert filmloop("campaign", action, made["id"], "--json")["state"] in {state, "draining"}
    assert f"campaign {made['id']} (mine) is" in filmloop("campaign", "abort", made["id"])
    told = filmloop("campaign", "show", made["id"])
    assert "maximise hardness (GPa) in Fe-Co-Ni" in told
    assert filmloop("campaign", "show", made["id"], "--json")["best"] is None
    assert "mine" in filmloop("campaign", "list")
    followed = filmloop("campaign", "follow", made["id"], "--after", "0", "--until", "campaign.created")
    assert "campaign.created" in followed


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_is_a_problem(filmloop, name):
    assert filmloop("campaign", "create", name, "--template", name, "--activate", "--json")["state"] == "active"


def test_own_data_are_learned_from_and_readings_posted(filmloop, lab, tmp_path):
    campaign = lab.campaign(problem=PROBLEM)
    (tmp_path / "known.csv").write_text(
        "x_Fe,x_Ga,x_Pd,process_anneal_c,property,unit,value\n0.7,0.2,0.1,300,magnetisation,emu/cm3,500\n"
    )
    learned = filmloop("campaign", "learn", campaign, "known.csv", "--json")
    assert (learned["rows"], learned["name"]) == (1, "known.csv")
    film = lab.film(campaign)
    (tmp_path / "read.csv").write_text(
        "film_id,device,property,unit,value,measured_at\n"
        f"{film},0,magnetisation,emu/cm3,1.5,2026-03-01T12:00:00Z\n{film},9,magnetisation,emu/cm3,2.5,2026-03-01T12:00:00Z\n"
    )
    measure = ["campaign", "measure", campaign, "read.csv", "--instrument", "squid"]
    assert "/measurements/1/" in filmloop(*measure, status=3)
    assert "1 rows would be stored, 0 known already, 1 refused" in filmloop(*measure, "--check", "--skip-bad", status=1)
    assert "1 rows stored, 0 known already, 1 refused\n  row 1: " in filmloop(*measure, "--skip-bad", status=1)


def test_a_film_is_made_by_hand_and_its_table_filled_in(filmloop, loop, tmp_path):
    campaign = loop.campaign()
    assert "no film is ready" in filmloop("campaign", "next", campaign, "--wait", "0")
    loop.decide(campaign)
    assert "a film of the test" in filmloop("campaign", "next", campaign)
    assert len(filmloop("campaign", "next", campaign, "--json")["film"]["devices"]) == 3
    film = filmloop("campaign", "make", campaign, "--readings", "film.csv", "--json")
    assert (film["state"], film["robot"]) == ("made", "by hand")
    table = tmp_path / "film.csv"
    head, *rows = table.read_text().splitlines()
    table.write_text("\n".join([head, *(f"{row}{k}" for k, row in enumerate(rows))]))
    assert "3 rows stored" in filmloop("campaign", "measure", campaign, "film.csv", "--instrument", "me")
    assert filmloop("campaign", "show", campaign, "--json")["revision"] == 1


def test_a_folder_is_watched_once(filmloop, lab, tmp_path, capsys):
    campaign = lab.campaign(problem=PROBLEM)
    film = lab.film(campaign)
    (tmp_path / "squid.toml").write_text(
        f'instrument = "squid"\ncampaign = "{campaign}"\n[film]\ncolumn = "film"\n[device]\ncolumn = "spot"\n'
        '[[properties]]\nproperty = "magnetisation"\nunit = "emu/cm3"\nvalue = "m"\n'
    )
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text(f"film,spot,m\n{film},0,1.5\n")
    watch = ["watch", "data", "--mapping", "squid.toml", "--once"]
    assert filmloop(*watch, "--json") == {"waiting": 0, "aside": [], "trouble": None, "unreadable": {}}
    (tmp_path / "data" / "b.csv").write_text(f"film,spot,m\n{film},1,many\n{film},2,2.5\n")
    told = filmloop(*watch, status=1)
    assert "0 readings wait, 1 set aside" in told
    assert "'many', which is no number" in told
    found = filmloop("campaign", "show", campaign, "--json")
    assert found["revision"] == 2
    capsys.readouterr()
    assert watching.main(["data", "-m", "squid.toml", "--once", "--json"]) == 1  # with the client alone
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert json.loads(said[0])["aside"][0]["row"]["m"] == "many"
    (tmp_path / "squid.toml").write_text("[film]")
    with pytest.raises(SystemExit, match="2"):
        watching.main(["data", "-m", "squid.toml", "--once"])


@pytest.mark.parametrize(
    ("arguments", "ends"),
    [
        (["campaign", "show", "cmp_none"], (3, "404")),
        (["campaign", "list", "--url", "http://127.0.0.1:9"], (4, "Is Filmloop running there?")),
        (["campaign", "create", "x"], (2, "give either --problem FILE or --template")),
        (["campaign", "create", "x", "--problem", "list.json"], (2, "holds no problem")),
        (["campaign", "create", "x", "--problem", "empty.json"], (3, "422")),
        (["watch", ".", "--mapping", "bad.toml"], (2, "is no TOML")),
        (["benchmark", "nothing"], (2, "no study 'nothing'")),
        (["campain"], (2, "campain")),
    ],
)
def test_what_goes_wrong_is_said_in_a_line_with_a_status(filmloop, monkeypatch, tmp_path, arguments, ends):
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "empty.json").write_text("{}")
    (tmp_path / "bad.toml").write_text("[files")
    monkeypatch.setattr("service.console.service.PATIENCE_S", 0.2)
    status, said = ends
    assert said in filmloop(*arguments, status=status)


def test_a_fault_of_our_own_is_a_line_too(filmloop, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("service.console.campaigns.ask", broken)
    assert "ZeroDivisionError: by zero\n(FILMLOOP_DEBUG=1 shows where)" in filmloop("campaign", "list", status=1)
    monkeypatch.setenv("FILMLOOP_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(main, ["campaign", "list"], catch_exceptions=False)


def test_the_tab_key_knows_commands_and_options(filmloop):
    assert "_FILMLOOP_COMPLETE=bash_complete" in filmloop("completion", "bash")
    complete = ShellComplete(main, {}, "filmloop", "_FILMLOOP_COMPLETE")
    assert [item.value for item in complete.get_completions([], "camp")] == ["campaign"]
    assert "follow" in [item.value for item in complete.get_completions(["campaign"], "")]
    assert "--template" in [item.value for item in complete.get_completions(["campaign", "create"], "--t")]


def test_every_study_says_what_it_does(filmloop):
    known = json.loads(CliRunner().invoke(main, ["benchmark", "--json"]).stdout)
    assert {"faults", "latency", "decisions"} & set(known) >= {"faults", "latency"}
    assert all(told.endswith((".", "?", "`.")) for told in known.values())
