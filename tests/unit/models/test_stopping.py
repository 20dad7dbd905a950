"""Stop advice: the rule by hand, and the numbers in its sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.stopping import Standing, Stopping, advise

NOISE = 0.2


def history(*gains, films=None, policy="expected_improvement", **more):
    counts = films or range(2, 2 + len(gains))
    return [Standing(n, policy, g, NOISE, **more) for n, g in zip(counts, gains, strict=True)]


def advice(past, left=None, smallest=None, **options):
    return advise(past, Stopping(**options), unit="V", left=left, smallest=smallest)


def test_before_a_model_decides_there_is_nothing_to_judge():
    assert advice([]).advice == "go on"
    assert advice([Standing(0, "space_filling", None, None)]).advice == "go on"


def test_a_gain_above_the_noise_is_worth_a_film():
    found = advice(history(2.0, 1.0, 0.5))
    assert (found.advice, found.resolution, found.quiet_films) == ("go on", NOISE, 0)
    assert "0.5 V" in found.why
    assert "0.2 V by which one reading scatters" in found.why


@pytest.mark.parametrize(
    ("gains", "word", "quiet"),
    [
        ((1.0, 0.1, 0.1), "go on", 2),
        ((1.0, 0.1, 0.1, 0.1), "consider stopping", 3),
        ((0.1, 0.1, 0.3, 0.1), "go on", 1),
        ((1.0, 0.019, 0.019, 0.019), "stop", 3),
        ((1.0, 0.019, 0.021, 0.019), "consider stopping", 3),
        ((1.0, 0.0, 0.0, 0.0), "stop", 3),
    ],
)
def test_little_has_to_be_expected_for_some_films_in_a_row(gains, word, quiet):
    found = advice(history(*gains))
    assert (found.advice, found.quiet_films) == (word, quiet)


def test_a_short_budget_makes_each_film_count_less():
    past = history(1.0, 0.05, 0.05, 0.05)
    assert advice(past).advice == "consider stopping"
    assert advice(past, left=3).advice == "stop"
    assert "the next 3 together" in advice(past, left=3).why
    assert advice(past, left=0).advice == "stop"
    assert "budget" in advice(past, left=0).why


def test_what_the_lab_states_goes_before_the_noise():
    past = history(1.0, 0.05, 0.05, 0.05)
    found = advice(past, resolution=0.01)
    assert (found.advice, found.resolution) == ("go on", 0.01)
    assert advice(past, resolution=1.0).advice == "stop"
    assert "1 V that matters" in advice(past, resolution=1.0).why
    assert advice(past, smallest=0.01).advice == "go on"
    assert advice(past, patience=4).advice == "go on"


def test_a_film_has_to_pay_for_itself():
    past = history(1.0, 0.9, 0.9, 0.9, cost=2.0)
    assert advice(past, worth=0.4).advice == "go on"
    assert advice(past, worth=0.48).advice == "stop"
    assert "the 0.96 V that would pay for it" in advice(past, worth=0.48).why
    once = [*history(1.0, 1.0), *history(0.9, films=[4])]
    assert advice(once, worth=0.95).advice == "consider stopping"


def test_decisions_on_equally_many_films_count_once_and_the_last_one_counts():
    assert advice(history(1.0, 0.1, 0.1, 0.1, films=[2, 3, 3, 3])).quiet_films == 1
    assert advice(history(0.1, 0.1, 0.1, 1.0, films=[2, 3, 4, 4])).advice == "go on"


def test_gains_of_another_kind_are_not_compared():
    found = advice(history(0.0, 0.0, 0.0, policy="mapping"))
    assert found.advice == "go on"
    assert "'mapping'" in found.why
    mixed = [*history(1.0, 0.1, 0.1), *history(9.0, films=[5], policy="mapping"), *history(0.1, films=[6])]
    assert advice(mixed).advice == "consider stopping"


def test_an_uncertain_recommendation_is_said():
    past = history(0.0, 0.0, 0.0, best_sd=0.5)
    assert "± 0.5 V" in advice(past).why
    assert "±" not in advice(history(0.0, 0.0, 0.0, best_sd=0.1)).why


def test_without_a_noise_there_is_no_bound():
    found = advise([Standing(2, "expected_improvement", 0.0, None)], Stopping(patience=1), unit="V")
    assert (found.advice, found.resolution) == ("go on", None)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=12), st.floats(0.01, 10), st.integers(1, 5))
def test_a_finer_resolution_never_ends_a_campaign_earlier(gains, resolution, patience):
    order = ["go on", "consider stopping", "stop"]
    coarse = advice(history(*gains), resolution=resolution, patience=patience).advice
    fine = advice(history(*gains), resolution=resolution / 3, patience=patience).advice
    assert order.index(fine) <= order.index(coarse)


@pytest.mark.parametrize("wrong", [{"patience": 0}, {"resolution": 0.0}, {"worth": float("nan")}, {"horizon": 0}])
def test_options_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValidationError):
        Stopping(**wrong)
