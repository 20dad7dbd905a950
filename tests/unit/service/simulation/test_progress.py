import numpy as np
import pytest

from models.objective import Objective
from service.simulation.progress import FilmRecord, Progress, bar, formula, fractions
from service.simulation.wafer import Wafer

WAFER = Wafer.load()
ORDER = np.argsort(WAFER.values)


def film(number, rank, readings=(5.0, 6.0), source="model"):
    """A film with one device on the measured point of this rank (0 is the wafer's worst) and one on the worst."""
    as_made = WAFER.compositions[[ORDER[rank], ORDER[0]]]
    return FilmRecord(number, as_made, as_made, np.array(readings), source, 1.25)


def test_best_true_is_what_is_true_not_what_was_read():
    progress = Progress(WAFER)
    assert progress.fraction_of_best() == 0.0
    progress.add(film(1, 100, readings=(99.0, 1.0)))
    progress.add(film(2, 50))
    progress.add(film(3, 277))
    expected = [WAFER.values[ORDER[100]]] * 2 + [WAFER.best_value]
    np.testing.assert_allclose(progress.best_true(), expected, atol=1e-6)
    assert progress.fraction_of_best() == pytest.approx(1.0)
    assert progress.films_to() == 3
    assert progress.films_to(0.1) == 1
    composition, reading = progress.best_device()
    assert reading == 99.0
    np.testing.assert_array_equal(composition, WAFER.compositions[ORDER[100]])


def test_a_dead_device_finds_nothing():
    progress = Progress(WAFER)
    line = progress.add(film(1, 277, readings=(np.nan, np.nan)))
    assert "dead" in line
    assert progress.fraction_of_best() == 0.0
    assert progress.films_to() is None
    assert progress.best_device() is None
    progress.add(film(2, 277, readings=(np.nan, 1.0)))
    assert progress.best_true()[-1] == pytest.approx(WAFER.values[ORDER[0]], abs=1e-6)
    assert progress.readings() == 1


def test_the_line_says_what_a_person_wants_to_know():
    progress = Progress(WAFER)
    line = progress.add(film(7, 277, readings=(10.9, np.nan), source="space_filling"))
    for part in ("7", formula(WAFER.best_composition), "10.90 V", "100.0 % ★", "space-filling", "1.2 s", "█" * 12):
        assert part in line
    assert len(line) < 110


def test_formula_and_fractions_agree():
    composition = fractions({"Pd": 0.05, "Fe": 0.78, "Ga": 0.17})
    assert formula(composition) == "Fe0.78Ga0.17Pd0.05"


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "·" * 12), (1.0, "█" * 12), (7.0, "█" * 12), (0.5, "█" * 6 + "·" * 6)]
)
def test_the_bar_is_as_long_as_the_share(share, text):
    assert bar(share).replace(" ", "") == text
    assert len(bar(share)) == 12


@pytest.mark.parametrize(
    ("sought", "ranks", "best"),
    [
        (Objective(property="magnetisation", unit="V", direction="minimise"), (277, 100, 0), 0),
        (Objective(property="magnetisation", unit="V", direction="match", target=WAFER.best_value), (5, 100, 277), 277),
        (
            Objective(property="magnetisation", unit="V", direction="match", target=-9.0, tolerance=1.0),
            (277, 100, 0),
            0,
        ),
    ],
)
def test_the_best_is_what_the_campaign_wants(sought, ranks, best):
    progress = Progress(WAFER, sought)
    for number, rank in enumerate(ranks, start=1):
        made = WAFER.compositions[[ORDER[rank]]]
        line = progress.add(FilmRecord(number, made.repeat(2, axis=0), made, np.array([2.0]), "model", 1.0))
    assert progress.best_true()[-1] == pytest.approx(WAFER.values[ORDER[best]], abs=1e-6)
    assert np.all(np.diff(progress.shares()) > 0.0)
    assert progress.fraction_of_best() == pytest.approx(1.0)
    assert progress.films_to() == 3
    assert "100.0 % ★" in line


def test_a_target_between_the_values_is_the_best():
    progress = Progress(WAFER, Objective(property="magnetisation", unit="V", direction="match", target=5.0))
    progress.add(film(1, 100, readings=(4.0, 5.2)))
    assert "5.20 V" in progress.add(film(2, 200, readings=(9.0, 5.2)))
    value = min(abs(WAFER.values[ORDER[[0, 100, 200]]] - 5.0))
    worst = max(abs(WAFER.values - 5.0))
    assert progress.fraction_of_best() == pytest.approx(1.0 - value / worst, abs=1e-6)


def test_where_every_value_is_within_the_tolerance_a_living_device_is_all_there_is_to_find():
    wide = Objective(property="magnetisation", unit="V", direction="match", target=5.0, tolerance=20.0)
    progress = Progress(WAFER, wide)
    progress.add(film(1, 100, readings=(np.nan, np.nan)))
    assert progress.fraction_of_best() == 0.0
    assert "100.0 %" in progress.add(film(2, 100))
    assert progress.films_to() == 2
