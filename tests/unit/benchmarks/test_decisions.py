import json
import sys

import numpy as np
import pytest

from benchmarks.decisions import calibration, continuous, hall, left_out, t1, t2_t3, trade_off
from benchmarks.decisions.arms import ARMS
from benchmarks.decisions.campaign import Listed, extended, run
from benchmarks.decisions.data import DataAbsent
from benchmarks.decisions.earlier import taken_over
from benchmarks.decisions.figures import Outcome, paired
from benchmarks.decisions.noise import Noise
from benchmarks.decisions.peers.combi import candidates, chord
from benchmarks.decisions.plates import PLATES, Plate
from benchmarks.decisions.records import Key, Records, key_of
from models.dataset import Dataset
from models.film import film_violations

SILENT = Noise(device=0.0, drift=0.0, composition=0.0, dead=0.0, outliers=0.0)


@pytest.fixture(scope="module")
def plate():
    try:
        return Plate.load(PLATES[1])
    except DataAbsent as absent:
        pytest.skip(str(absent))


@pytest.fixture(scope="module")
def wafer():
    return continuous.load("fe-ga-pd-pair")


def test_a_plate_has_the_films_of_the_task_and_each_obeys_its_rules(plate):
    assert len(plate.listed) == 2325
    assert len({film.points().tobytes() for film in plate.listed}) == 2325
    for film in plate.listed[::97]:
        assert not film_violations(film, plate.problem.space, plate.problem.film)


def test_a_film_of_a_plate_has_the_measured_values_at_lattice_points_and_their_mean_halfway(plate):
    film = next(f for f in plate.listed if np.abs(f.a - f.b).max() > 0.75)  # 9 lattice points, every other one a device
    tenths = np.rint(10.0 * film.points()).astype(int)
    asked = plate.values(film, np.zeros((5, 6)))
    assert asked.nominal[:, 0] == pytest.approx([plate.table[tuple(k)] for k in tenths.tolist()])
    missed = plate.values(film, np.full((5, 6), 0.05)).made[0, 0]
    between = [tuple(np.rint(10.0 * x).astype(int).tolist()) for x in (film.a, film.a + (film.b - film.a) / 8.0)]
    assert missed == pytest.approx(np.mean([plate.table[k] for k in between]))


def test_the_best_value_and_its_share_are_those_of_all_film_points(plate):
    values = [plate.values(film, np.zeros((5, 6))).nominal.min() for film in plate.listed]
    assert plate.best == pytest.approx(min(values))
    assert plate.best < plate.goal < np.median(values)


def test_noise_is_the_same_for_every_arm_and_a_switch_leaves_the_rest_as_it_was(wafer):
    film, other = wafer.starts(0)
    first, again = (Noise().measure(wafer, 1, 4, film) for _ in range(2))
    np.testing.assert_array_equal(first.y, again.y)
    with_offset = Noise(offset=0.6).measure(wafer, 1, 4, film)
    moved = (with_offset.y - first.y)[~np.isnan(first.y)]
    assert np.ptp(moved) < 1e-9 < abs(moved[0])
    own = first.y - Noise(device=0.0).measure(wafer, 1, 4, film).y
    elsewhere = Noise().measure(wafer, 1, 4, other).y - Noise(device=0.0).measure(wafer, 1, 4, other).y
    np.testing.assert_allclose(own, elsewhere, atol=1e-9)


def test_noise_has_the_amounts_it_names(wafer):
    film = wafer.starts(0)[0]
    sd, true = float(wafer.sd[0]), wafer.truth(film.points())
    quiet = Noise(drift=0.0, composition=0.0, dead=0.0, outliers=0.0)
    residual = np.array([quiet.measure(wafer, 0, k, film).y - true for k in range(200)])
    assert residual.std() / sd == pytest.approx(0.05, rel=0.06)
    dead = np.array([np.isnan(Noise().measure(wafer, 0, k, film).y) for k in range(200)])
    assert dead.mean() == pytest.approx(0.05, abs=0.02)
    drifted = [Noise(device=0.0, composition=0.0, dead=0.0).measure(wafer, 0, k, film).y - true for k in (0, 10)]
    assert np.abs(np.mean(drifted[1] - drifted[0])) / sd == pytest.approx(0.2)


def test_the_hall_lattice_has_the_points_of_the_task_and_its_best_lies_above_all(wafer):
    lattice = hall.lattice()
    assert lattice.shape == (18_594, 6)
    assert lattice.sum(axis=1) == pytest.approx(1.0)
    space = hall.problem(13, "free").space
    assert not [v for x in lattice[::500] for v in space.violations(x)]
    points = np.column_stack([lattice, np.full(len(lattice), 0.7)])
    assert hall.resistivity(points).max() <= continuous.hall_best() < 5.0
    iron_cobalt = np.array([[0.4, 0.3, 0.2, 0.0, 0.04, 0.06, 0.5]])
    electrons, moment, coupling = 7.0 + 0.7 / 0.9, (0.88 + 0.51 + 0.12) * np.exp(-((0.1 / 0.35) ** 2)), 0.536
    ridge = np.exp(-(((electrons + 1.0 - 8.67) / 0.28) ** 2))
    annealed = 0.35 + 0.65 * np.exp(-(((400.0 - 430.0) / 110.0) ** 2))
    expected = 0.5 * moment + 3.0 * moment * coupling * (0.25 + ridge) * annealed + 1.5 * 0.12 - 2.0 * 0.02
    assert hall.resistivity(iron_cobalt)[0, 0] == pytest.approx(expected)


def test_a_function_is_an_arm_and_finds_what_it_asks_for(plate):
    asked = []

    def best_film(problem, dataset, films, seed):
        asked.append((len(dataset), seed))
        return int(np.argmin([plate.values(film, np.zeros((5, 6))).nominal.min() for film in films]))

    outcome = run(plate, Listed(best_film), seed=3, noise=SILENT, films=3)
    assert outcome["best_true"][-1] == pytest.approx(plate.best)
    assert asked == [(10, 3), (15, 3)]  # the third film, and once more for a recommendation


def test_combi_is_offered_the_lattice_and_its_films_keep_the_rules(wafer):
    problem = wafer.problem
    pairs = [(0, 1), (0, 2), (1, 2)]
    offered = np.array(candidates(wafer, pairs))
    assert len(offered) == len(wafer.grid)
    for x in offered[:: len(offered) // 20] / 100.0:
        for pair in pairs:
            film = chord(problem, x, pair, np.empty(0))
            if film is not None:
                assert not film_violations(film, problem.space, problem.film)
                inside = (x - film.a)[pair[0]] / (film.b - film.a)[pair[0]]
                assert -1e-9 <= inside <= 1.0 + 1e-9


def test_paired_figures_are_those_of_a_hand_count(wafer):
    records = [
        {"task": wafer.name, "seed": 0, "best_true": [wafer.best - 3.0, None, wafer.best], "recommended": [None]},
        {"task": wafer.name, "seed": 1, "best_true": [None, wafer.best - 2.0, wafer.best - 1.0], "recommended": [None]},
    ]
    outcome = Outcome("one", {wafer.name: wafer}, records)
    np.testing.assert_allclose(outcome.regret[1], [2.0, 2.0, 1.0])
    np.testing.assert_allclose(outcome.films_to_goal, [3.0, 4.0])
    test = paired(np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 2.0, 5.0, 5.0]))
    assert (test["difference"], test["wins"], test["losses"]) == (-1.0, 3, 0)
    assert test["sign_test_p"] == pytest.approx(0.25)
    assert test["standard_error"] == pytest.approx(np.std([1, 0, 2, 1], ddof=1) / 2.0)


def test_an_interrupted_study_goes_on_after_its_last_whole_line(tmp_path):
    records = Records(tmp_path / "raw" / "t.jsonl")
    key = Key("t", "random", "1", 0, 0.0, 3)
    records.add({**key._asdict(), "best_true": [1.0]})
    with records.path.open("a") as file:
        file.write('{"task": "t", "arm": "ran')
    assert records.keys() == {key}
    records.add({**key._asdict(), "seed": 1, "best_true": [1.0]})
    assert {k.seed for k in map(key_of, records.all())} == {0, 1}


def test_campaigns_of_an_earlier_version_stand_where_the_films_are_the_same(tmp_path):
    records = Records(tmp_path / "raw" / "t.jsonl")
    wanted = [Key(task, "filmloop", "new", seed, 0.0, 3) for seed in range(3) for task in ("same", "other")]
    for key in wanted:
        records.add({**key._replace(version="old")._asdict(), "made": [key.seed], "best_true": [1.0]})
    assert list(taken_over(records.all(), wanted, 1)) == []
    records.add({**wanted[0]._asdict(), "made": [0], "best_true": [1.0]})
    records.add({**wanted[1]._asdict(), "made": [7], "best_true": [1.0]})
    taken = list(taken_over(records.all(), wanted, 1))
    assert [(r["task"], r["seed"], r["version"], r["played_by"]) for r in taken] == [
        ("same", 1, "new", "old"),
        ("same", 2, "new", "old"),
    ]
    assert list(taken_over(records.all(), wanted, 2)) == []


def test_dead_devices_stay_in_the_data_as_missing_values(wafer):
    film = wafer.starts(0)[0]
    y = np.full((13, 1), np.nan)
    grown = extended(Dataset.empty(3), film, y, 0)
    assert np.isnan(grown.Y).all()
    assert len(set(grown.names.tolist())) == len(grown) == 13


def test_the_random_arm_is_no_fool_of_the_seed(plate):
    made = [run(plate, ARMS["random"].make(), seed=seed, noise=SILENT, films=6)["made"] for seed in (0, 0, 1)]
    assert made[0] == made[1] != made[2]
    assert len({json.dumps(film) for film in made[0]}) == 6


def test_filmloop_decides_on_the_wafer_and_is_asked_for_its_recommendation():
    task = continuous.load("fe-ga-pd-free")
    outcome = run(task, ARMS["filmloop"].make(), seed=0, noise=Noise(), films=3)
    assert len(outcome["made"]) == 3
    assert len(outcome["recommended"]) == len(outcome["cpu_seconds"]) == 2
    assert all(value <= task.best for value in (*outcome["best_true"], *outcome["recommended"]))
    assert set(outcome["calibration"][-1]) == {"coverage_50", "coverage_90", "coverage_95", "log_density"}


def test_the_whole_study_runs_small_and_writes_its_table(plate, tmp_path, monkeypatch, capsys):
    arms = ["filmloop", "random", "mean-ei-all-films"]
    words = ["t1", "--seeds", "2", "--films", "3", "--tasks", plate.name, "--results", str(tmp_path), "--arms", *arms]
    monkeypatch.setattr(sys, "argv", words)
    t1.main()
    document = json.loads((tmp_path / "t1.json").read_text())
    assert document["paired_seeds"] == 2
    assert set(document["pooled_regret"]) == set(arms) <= set(ARMS)
    assert all(value >= 0.0 for value in document["pooled_regret"].values())
    assert (tmp_path / "t1.png").stat().st_size > 0
    lines = (tmp_path / "raw" / "t1.jsonl").read_text()
    t1.main()
    assert (tmp_path / "raw" / "t1.jsonl").read_text() == lines
    assert "filmloop against random" in capsys.readouterr().out


@pytest.mark.parametrize(("study", "task"), [(t2_t3, "fe-ga-pd-pair"), (trade_off, "hall-trade-off")])
def test_the_studies_without_plates_run_small_and_write_their_tables(study, task, tmp_path, monkeypatch):
    name = study.__name__.rpartition(".")[2]
    words = [name, "--seeds", "1", "--films", "3", "--tasks", task, "--results", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [*words, "--arms", "filmloop", "random"])
    study.main()
    (tables,) = json.loads((tmp_path / f"{name}.json").read_text())["tables"].values()
    assert {row["arm"]: row["campaigns"] for row in tables["rows"]} == {"filmloop": 1, "random": 1}
    assert (tmp_path / f"{name}.png").stat().st_size > 0


def test_a_film_that_is_left_out_is_no_part_of_what_predicts_it(wafer):
    dataset = Dataset.empty(3)
    for number, film in enumerate(wafer.starts(0) + wafer.starts(1)):
        dataset = extended(dataset, film, wafer.truth(film.points()), number)
    dataset.Y[3] = np.nan
    shown = []

    def mean_of_the_rest(problem, readings, points, seed):
        shown.append(set(readings.films.tolist()))
        rest = float(np.nanmean(readings.Y))
        return np.full(len(points), rest), np.ones(len(points))

    y, mean, sd = left_out.left_out(mean_of_the_rest, wafer.problem, dataset, 0)
    films = sorted(set(dataset.films.tolist()))
    assert shown == [set(films) - {film} for film in films]
    alive = ~np.isnan(dataset.Y[:, 0])
    assert np.array_equal(y, dataset.Y[alive, 0])
    by_hand = [np.nanmean(dataset.Y[dataset.films != film]) for film in dataset.films[alive]]
    assert np.allclose(mean, by_hand)
    assert len(sd) == alive.sum()


@pytest.mark.parametrize("model", list(left_out.MODELS))
@pytest.mark.parametrize("direction", ["maximise", "minimise"])
def test_every_model_predicts_readings_in_their_own_units(wafer, model, direction):
    sought = wafer.problem.objectives[0].model_copy(update={"direction": direction})
    problem = wafer.problem.model_copy(update={"objectives": (sought,)})
    rng, dataset = np.random.default_rng(0), Dataset.empty(3)
    for number in range(4):
        (film, *_) = wafer.starts(number)
        y = 300.0 + 50.0 * film.points()[:, :1] + rng.normal(0.0, 0.1, (13, 1))
        dataset = extended(dataset, film, y, number)
    points = wafer.starts(7)[0].points()
    mean, sd = left_out.MODELS[model](problem, dataset, points, 0)
    away = mean - (300.0 + 50.0 * points[:, 0])
    assert np.abs(away / sd).max() < 5.0
    assert np.abs(away).max() < 25.0


def test_the_studies_of_calibration_run_small_and_write_their_tables(tmp_path, monkeypatch):
    words = ["--seeds", "1", "--tasks", "fe-ga-pd-pair", "--results", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["t2_t3", *words, "--films", "3", "--arms", "filmloop", "--run-only"])
    t2_t3.main()
    for study, models in ((calibration, 2), (left_out, 3)):
        name = study.__name__.rpartition(".")[2]
        monkeypatch.setattr(sys, "argv", [name, *words, "--offset", "0", "0.6"])
        study.main()
        document = json.loads((tmp_path / f"{name}.json").read_text())
        assert [row["offset"] for row in document["rows"]] == [0.0] * models + [0.6] * models
        assert all(0.0 <= row["coverage 95"] <= 1.0 for row in document["rows"])
        assert len(document["comparisons"]) == 2 * (models - 1)
    lines = (tmp_path / "raw" / "left_out.jsonl").read_text()
    left_out.main()
    assert (tmp_path / "raw" / "left_out.jsonl").read_text() == lines
