import numpy as np
import pytest

from service.simulation.lab import Lab
from service.simulation.wafer import Wafer

WAFER = Wafer.load()
PROPOSED = WAFER.compositions[100:113]
SILENT = {"noise_v": 0.0, "film_offset_v": 0.0, "composition_error": 0.0, "dead_share": 0.0, "drift_v_per_film": 0.0}


def many(lab: Lab, films: int = 400) -> np.ndarray:
    return np.array([lab.read(n, PROPOSED) for n in range(1, films + 1)])


def test_a_perfect_lab_tells_the_truth():
    lab = Lab(WAFER, **SILENT)
    np.testing.assert_allclose(lab.make(3, PROPOSED), PROPOSED, atol=1e-15)
    np.testing.assert_array_equal(lab.read(3, PROPOSED), WAFER.truth(PROPOSED))


def test_same_seed_same_lab_whatever_was_drawn_before():
    first, second = Lab(WAFER, seed=5), Lab(WAFER, seed=5)
    first.make(1, PROPOSED)
    first.read(1, PROPOSED)
    np.testing.assert_array_equal(first.make(2, PROPOSED), second.make(2, PROPOSED))
    np.testing.assert_array_equal(first.read(2, PROPOSED), second.read(2, PROPOSED))


def test_other_seed_or_other_film_is_another_draw():
    lab = Lab(WAFER, seed=5, dead_share=0.0)
    assert not np.allclose(lab.read(1, PROPOSED), lab.read(2, PROPOSED))
    assert not np.allclose(lab.read(1, PROPOSED), Lab(WAFER, seed=6, dead_share=0.0).read(1, PROPOSED))


def test_compositions_as_made_are_compositions_with_the_stated_error():
    lab = Lab(WAFER, composition_error=0.003)
    made = np.array([lab.make(n, PROPOSED) for n in range(1, 401)])
    np.testing.assert_allclose(made.sum(axis=2), 1.0)
    assert (made >= 0).all()
    # Renormalising takes the share along (1, 1, 1) away, about a third of the variance for equal fractions.
    error = (made - PROPOSED).std(axis=(0, 1))
    assert ((error > 0.002) & (error < 0.0036)).all()
    pure = np.array([[1.0, 0.0, 0.0]])
    assert (lab.make(1, np.repeat(pure, 50, axis=0)) >= 0).all()


@pytest.mark.parametrize(
    ("effect", "within_films", "between_films"),
    [({"noise_v": 0.2}, 0.2, 0.2 / np.sqrt(13)), ({"film_offset_v": 0.3}, 0.0, 0.3)],
)
def test_noise_is_of_a_reading_and_offset_of_a_film(effect, within_films, between_films):
    residual = many(Lab(WAFER, **(SILENT | effect))) - WAFER.truth(PROPOSED)
    assert residual.std(axis=1, ddof=1).mean() == pytest.approx(within_films, rel=0.1, abs=1e-12)
    assert residual.mean(axis=1).std() == pytest.approx(between_films, rel=0.15)


def test_drift_grows_with_the_film_number():
    lab = Lab(WAFER, **(SILENT | {"drift_v_per_film": 0.01}))
    np.testing.assert_allclose(lab.read(21, PROPOSED) - lab.read(1, PROPOSED), 0.2)


def test_dead_devices_are_missing_values():
    readings = many(Lab(WAFER, **(SILENT | {"dead_share": 0.1})))
    assert np.isnan(readings).mean() == pytest.approx(0.1, abs=0.02)
    assert np.isnan(Lab(WAFER, dead_share=1.0).read(1, PROPOSED)).all()


@pytest.mark.parametrize("wrong", [{"noise_v": -0.1}, {"dead_share": 1.5}, {"deposition_s": float("nan")}])
def test_impossible_labs_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Lab(WAFER, **wrong)
